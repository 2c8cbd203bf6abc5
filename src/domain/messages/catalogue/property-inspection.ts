import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { toOwner } from './deliveries.ts';

export const propertyInspection = defineMessage({
  event: 'PROPERTY_INSPECTION',
  cause: 'when an inspection is planned or moved, and when it is done',
  to: { OWNER: { channels: MAIL, required: true } },
  variables: ['recipientName', 'propertyName', 'taskTitle', 'taskStart', 'taskEnd', 'findings'],
  texts: {
    'property-inspection.owner@1': {
      en: {
        subject: 'Property Inspection - {propertyName}',
        message: `Dear {recipientName},

{propertyName} will be inspected: {taskTitle}.

Start: {taskStart}
End: {taskEnd}`,
      },
      ar: {
        subject: 'فحص العقار - {propertyName}',
        message: `عزيزي {recipientName}،

سيُفحص {propertyName}: {taskTitle}.

البداية: {taskStart}
النهاية: {taskEnd}`,
      },
    },
    'property-inspected.owner@1': {
      en: {
        subject: 'Property Inspection passed - {propertyName}',
        message: `Dear {recipientName},

{propertyName} has been inspected, and all is well: {taskTitle}.`,
      },
      ar: {
        subject: 'اجتاز العقار الفحص - {propertyName}',
        message: `عزيزي {recipientName}،

فُحص {propertyName} وكل شيء على ما يرام: {taskTitle}.`,
      },
    },
    'property-inspection-failed.owner@1': {
      en: {
        subject: 'Property Inspection: something must be done - {propertyName}',
        message: `Dear {recipientName},

{propertyName} has been inspected, and this was found: {findings}.

What we do about it comes in a message of its own.`,
      },
      ar: {
        subject: 'نتيجة فحص العقار تحتاج إلى متابعة - {propertyName}',
        message: `عزيزي {recipientName}،

فُحص {propertyName} ووُجد ما يلي: {findings}.

وما سنفعله بشأنه يأتيك في رسالة منفصلة.`,
      },
    },
  },
});

/** To the owner; again when it has moved. */
export const inspectionMessage = (ownerId: string, taskId: string): OrderedText => ({
  ...toOwner(propertyInspection, 'property-inspection.owner@1', ownerId),
  taskId,
});

/** The result; the same event as the announcement, in another text. */
export const inspectionResultMessage = (
  ownerId: string,
  taskId: string,
  outcome: 'PASSED' | 'FAILED',
): OrderedText => ({
  ...toOwner(
    propertyInspection,
    outcome === 'PASSED' ? 'property-inspected.owner@1' : 'property-inspection-failed.owner@1',
    ownerId,
  ),
  taskId,
});
