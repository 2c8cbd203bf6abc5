import type { AlertParams } from '../../notifications/alerts.ts';
import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { toOps } from './deliveries.ts';

export const maintenanceAlert = defineMessage({
  event: 'MAINTENANCE_ALERT',
  cause: 'when something at a property needs operations',
  to: { OPS: { channels: MAIL, required: true } },
  variables: [
    'propertyName',
    'reservationId',
    'code',
    'sagaId',
    'taskTitle',
    'taskId',
    'taskStart',
    'findings',
    'severity',
    'calendarImpact',
    'estimate',
  ],
  // Somebody is needed now.
  atAnyHour: true,
  texts: {
    'maintenance-alert-amenities.ops@1': {
      en: {
        subject: 'The devices of {propertyName} do not answer: {code}',
        message: `The devices of {propertyName} could not be switched off after a departure. A code may still open the door.

Stay: {reservationId}
Reason: {code}
Saga: {sagaId}

See to the devices, then press Retry on the saga's job, or resolve it.`,
      },
    },
    'maintenance-alert-access.ops@1': {
      en: {
        subject: 'The door of {propertyName} does not follow a departure: {code}',
        message: `A guest who is staying at {propertyName} has another departure, and the door code still ends at the old one. The guest is told of the new time when the code works until then.

Stay: {reservationId}
Reason: {code}
Saga: {sagaId}

See to the device, then press Retry on the saga's job; or let the guest in another way and resolve it.`,
      },
    },
    'repair-approved.ops@1': {
      en: {
        subject: 'The owner agrees: {taskTitle} - {propertyName}',
        message: `The owner of {propertyName} has approved a repair: {taskTitle}. Somebody is being looked for.

Estimated cost: {estimate|not known}
Task: {taskId}`,
      },
    },
    'repair-declined.ops@1': {
      en: {
        subject: 'The owner declines: {taskTitle} - {propertyName}',
        message: `The owner of {propertyName} has declined a repair, and the task is cancelled: {taskTitle}.

Estimated cost: {estimate|not known}
Calendar: {calendarImpact|not known}
Task: {taskId}

Talk to the owner if it cannot stay as it is.`,
      },
    },
    'maintenance-alert-findings.ops@1': {
      en: {
        subject: 'Something must be repaired: {propertyName}',
        message: `Something was found at {propertyName} that must be repaired; tasks have been made of it.

What: {findings|see the task}
Severity: {severity|not known}
Calendar: {calendarImpact|not known}
Found in task: {taskId}`,
      },
    },
    'maintenance-alert-emergency.ops@1': {
      en: {
        subject: 'Emergency at {propertyName}: {taskTitle}',
        message: `An emergency at {propertyName} needs somebody now: {taskTitle}.

Severity: {severity|not known}
Start: {taskStart}
Calendar: {calendarImpact|not known}`,
      },
    },
    'maintenance-alert-waiting.ops@1': {
      en: {
        subject: 'Nobody has begun: {taskTitle} - {propertyName}',
        message: `An emergency at {propertyName} still waits, and nobody has begun with it: {taskTitle}.

Reason: {code}
Start: {taskStart}
Calendar: {calendarImpact|not known}

Call somebody.`,
      },
    },
  },
});

/** Something at a property needs hands: its devices did not do what they were asked to. */
export const amenitiesAlertMessage = (alert: AlertParams): OrderedText =>
  toOps(maintenanceAlert, 'maintenance-alert-amenities.ops@1', { params: { ...alert, step: alert.step ?? '' } });

/** The code of a guest in the house ends at another time than the guest is to read. */
export const accessAlertMessage = (alert: AlertParams): OrderedText =>
  toOps(maintenanceAlert, 'maintenance-alert-access.ops@1', { params: { ...alert, step: alert.step ?? '' } });

/** To operations: the owner has decided about a repair. `taskId`: the repair. */
export const repairDecidedMessage = (taskId: string, decision: 'APPROVED' | 'DECLINED'): OrderedText =>
  toOps(maintenanceAlert, decision === 'APPROVED' ? 'repair-approved.ops@1' : 'repair-declined.ops@1', { taskId });

/** To operations: a task was completed with findings that became repairs. `taskId`: the task that found them. */
export const maintenanceAlertMessages = (taskId: string): readonly OrderedText[] => [
  toOps(maintenanceAlert, 'maintenance-alert-findings.ops@1', { taskId }),
];

/** Operations read of an emergency at once, and again while nobody has begun with it. */
export const emergencyAlertMessage = (taskId: string, waitedMinutes: number): OrderedText =>
  toOps(
    maintenanceAlert,
    waitedMinutes === 0 ? 'maintenance-alert-emergency.ops@1' : 'maintenance-alert-waiting.ops@1',
    { taskId, params: { code: `NOT_BEGUN_AFTER_${waitedMinutes}_MINUTES` } },
  );
