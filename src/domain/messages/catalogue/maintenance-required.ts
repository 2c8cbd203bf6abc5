import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { toOwner } from './deliveries.ts';

const APPROVAL = 'repair-approval.owner@1';

export const maintenanceRequired = defineMessage({
  event: 'MAINTENANCE_REQUIRED',
  cause: 'when something at the property must be repaired, or its regular maintenance is due',
  to: { OWNER: { channels: MAIL, required: true } },
  variables: ['recipientName', 'propertyName', 'taskTitle', 'taskStart', 'estimate', 'approvalUrl'],
  // Among its texts is a question, which has to come whatever else the owner was sent today.
  countsApart: true,
  // The owner has answered meanwhile, by telephone perhaps, or has sold the property.
  stillTrue: ({ template, facts: { approval, approvalToken } }) =>
    template !== APPROVAL || (approval === 'PENDING' && approvalToken !== null),
  texts: {
    'maintenance-required.owner@1': {
      en: {
        subject: 'Something must be repaired - {propertyName}',
        message: `Dear {recipientName},

Our staff found something at {propertyName} that must be repaired. We are seeing to it, and will tell you when it is done.

Estimated cost: {estimate|not known yet}`,
      },
      ar: {
        subject: 'عطل يحتاج إلى إصلاح - {propertyName}',
        message: `عزيزي {recipientName}،

وجد فريقنا في {propertyName} ما يحتاج إلى إصلاح. نعمل على ذلك وسنخبرك عند الانتهاء.

التكلفة المقدرة: {estimate|لم تُعرف بعد}`,
      },
    },
    'maintenance-ordered.owner@1': {
      en: {
        subject: 'Maintenance Required - {propertyName}',
        message: `Dear {recipientName},

Work is needed at {propertyName}: {taskTitle}. We are seeing to it, and will tell you when it is done.

Start: {taskStart}
Estimated cost: {estimate|not known yet}`,
      },
      ar: {
        subject: 'صيانة مطلوبة - {propertyName}',
        message: `عزيزي {recipientName}،

يلزم عمل في {propertyName}: {taskTitle}. نحن نتولى الأمر وسنبلغك عند الانتهاء.

البداية: {taskStart}
التكلفة المقدرة: {estimate|لم تُعرف بعد}`,
      },
    },
    'repair-approval.owner@1': {
      en: {
        subject: 'Your approval is needed - {propertyName}',
        message: `Dear {recipientName},

A repair at {propertyName} would cost more than you let us spend without asking: {taskTitle}.

Estimated cost: {estimate}
Planned for: {taskStart}

Please say whether we may have it done. Nothing is ordered before.

{approvalUrl}`,
      },
      ar: {
        subject: 'نحتاج إلى موافقتك - {propertyName}',
        message: `عزيزي {recipientName}،

يكلّف إصلاح في {propertyName} أكثر مما تسمح لنا بإنفاقه دون سؤالك: {taskTitle}.

التكلفة المقدرة: {estimate}
الموعد المخطط: {taskStart}

نرجو أن تخبرنا إن كنت توافق على إجرائه. لن نطلب شيئاً قبل ذلك.

{approvalUrl}`,
      },
    },
    'maintenance-planned.owner@1': {
      en: {
        subject: 'Maintenance Required - {propertyName}',
        message: `Dear {recipientName},

Regular maintenance is due at {propertyName}: {taskTitle}.

Start: {taskStart}
Estimated cost: {estimate|not known yet}`,
      },
      ar: {
        subject: 'صيانة مطلوبة - {propertyName}',
        message: `عزيزي {recipientName}،

حان موعد الصيانة الدورية في {propertyName}: {taskTitle}.

البداية: {taskStart}
التكلفة المقدرة: {estimate|لم تُعرف بعد}`,
      },
    },
  },
});

/** Found at work. */
export const maintenanceRequiredMessage = (ownerId: string, taskId: string): OrderedText => ({
  ...toOwner(maintenanceRequired, 'maintenance-required.owner@1', ownerId),
  taskId,
});

/** Asked for by hand, or an emergency: not found by anybody at work. */
export const maintenanceOrderedMessage = (ownerId: string, taskId: string): OrderedText => ({
  ...toOwner(maintenanceRequired, 'maintenance-ordered.owner@1', ownerId),
  taskId,
});

/** A repair that costs more than the limit: the owner is to say yes or no. */
export const repairApprovalMessage = (ownerId: string, taskId: string): OrderedText => ({
  ...toOwner(maintenanceRequired, APPROVAL, ownerId),
  taskId,
});

/** Work that a rule asks for: nothing is broken. */
export const maintenancePlannedMessage = (ownerId: string, taskId: string): OrderedText => ({
  ...toOwner(maintenanceRequired, 'maintenance-planned.owner@1', ownerId),
  taskId,
});
