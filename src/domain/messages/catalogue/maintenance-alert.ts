import { sql } from 'kysely';
import type { AlertParams } from '../../notifications/alerts.ts';
import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { toOps } from './deliveries.ts';
import { ALERT_STAY } from './system-alert.ts';

/** The sagas that wait for a person where the alert's saga does, for the same reason. */
const PARKED_ALIKE = sql`saga s JOIN saga_step x ON x.saga_id = s.id AND x.step_no = s.current_step AND x.direction = 'F'
  WHERE s.finished_at IS NULL AND s.status = 'parked' AND s.name = n.params ->> 'sagaName' AND x.status = 'failed'
    AND x.name = n.params ->> 'step' AND x.error ->> 'code' = n.params ->> 'code'`;
const MAX_NAMED = 30;
const FURTHER = 'maintenance-alert-further.ops@1';

export const maintenanceAlert = defineMessage({
  event: 'MAINTENANCE_ALERT',
  cause: 'when something at a property needs operations',
  to: { OPS: { channels: MAIL, required: true } },
  variables: [
    'propertyName',
    'reservationId',
    'code',
    'why',
    'sagaId',
    'alertStay',
    'alertSince',
    'alertUrl',
    'parkedCount',
    'parkedStays',
    'taskTitle',
    'taskId',
    'taskStart',
    'findings',
    'severity',
    'calendarImpact',
    'estimate',
  ],
  loads: {
    ...ALERT_STAY,
    parkedCount: sql<number>`(SELECT count(*)::int FROM ${PARKED_ALIKE})`,
    parkedStays: sql<string | null>`(SELECT string_agg(one.line, E'\\n' ORDER BY one.at, one.line) FROM (
      SELECT '- ' || p.name || ' (' || r.id || ', ' || s.id || ')' AS line, s.updated_at AS at
        FROM reservation r JOIN property p ON p.id = r.property_id, ${PARKED_ALIKE} AND r.id = s.subject_id
       ORDER BY s.updated_at, s.id LIMIT ${MAX_NAMED}::int) one)`,
  },
  // The mail about further stops is dropped when all of them were mended before it was due.
  stillTrue: ({ template, facts }) => template !== FURTHER || facts.own?.['parkedCount'] !== 0,
  // Somebody is needed now.
  atAnyHour: true,
  texts: {
    'maintenance-alert-amenities.ops@1': {
      en: {
        subject: 'The devices of {propertyName} were not switched off: {code}',
        message: `The devices of {propertyName} could not be switched off after a departure. A code may still open the door.

Whom it concerns: {alertStay}
Stay: {reservationId}
Reason: {code} ({why})
Since: {alertSince}
Saga: {sagaId}

What happens by itself: nothing; the check-out waits for you. If more stop for the same reason within the hour, a mail every quarter of an hour names them together.

What you can do: see to the devices, then press Retry on the page of the saga, or resolve it with what was done instead:

{alertUrl}`,
      },
    },
    /** Of those that stopped like it within the hour. */
    [FURTHER]: {
      en: {
        subject: 'The devices of {parkedCount} departures were not switched off: {code}',
        message: `After the mail about the first of them more check-outs have stopped at the devices. A code may still open each of these doors:

{parkedStays}

Reason: {code} ({why})
Waiting for a person by now: {parkedCount}

What happens by itself: nothing; each waits for you. Once one of them has waited for an hour it is an incident.

What you can do: see to the devices, then retry them all on the page of the incident, or each on its own:

{alertUrl}`,
      },
    },
    'maintenance-alert-access.ops@1': {
      en: {
        subject: 'The door of {propertyName} does not follow a departure: {code}',
        message: `A guest who is staying at {propertyName} has another departure, and the door code still ends at the old one. The guest is told of the new time when the code works until then.

Whom it concerns: {alertStay}
Stay: {reservationId}
Reason: {code} ({why})
Since: {alertSince}
Saga: {sagaId}

What you can do: see to the device, then press Retry on the page of the saga; or let the guest in another way and resolve it:

{alertUrl}`,
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

/** The same of several: it is sent once for all that follow the first one within the hour. */
export const furtherAmenitiesAlertMessage = (alert: AlertParams): OrderedText =>
  toOps(maintenanceAlert, FURTHER, { params: { ...alert, step: alert.step ?? '' } });

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
