import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { toOwner } from './deliveries.ts';

export const maintenanceDone = defineMessage({
  event: 'MAINTENANCE_DONE',
  cause: 'when a repair is completed',
  to: { OWNER: { channels: MAIL } },
  variables: ['recipientName', 'propertyName', 'charged'],
  texts: {
    'maintenance-charged.owner@1': {
      en: {
        subject: 'Cost of a repair - {propertyName}',
        message: `Dear {recipientName},

A repair at {propertyName} is done, and its cost is charged to you: {charged}.`,
      },
      ar: {
        subject: 'تكلفة إصلاح - {propertyName}',
        message: `عزيزي {recipientName}،

انتهى إصلاح في {propertyName}، وتُحتسب تكلفته عليك: {charged}.`,
      },
    },
    'maintenance-undecided.owner@1': {
      en: {
        subject: 'Repaired - {propertyName}',
        message: `Dear {recipientName},

A repair at {propertyName} is done.

Whether its cost is charged to you is not decided yet. If it is, we write to you again.`,
      },
      ar: {
        subject: 'تم الإصلاح - {propertyName}',
        message: `عزيزي {recipientName}،

انتهى إصلاح في {propertyName}.

لم يتقرر بعد ما إذا كانت تكلفته ستُحتسب عليك. إذا احتُسبت فسنكتب إليك مرة أخرى.`,
      },
    },
    'maintenance-done.owner@1': {
      en: {
        subject: 'Repaired - {propertyName}',
        message: `Dear {recipientName},

A repair at {propertyName} is done.

Charged to you: {charged|nothing}`,
      },
      ar: {
        subject: 'تم الإصلاح - {propertyName}',
        message: `عزيزي {recipientName}،

انتهى إصلاح في {propertyName}.

المحتسب عليك: {charged|لا شيء}`,
      },
    },
  },
});

/** To the owner, when a second person has approved the charge. */
export const chargedMessage = (ownerId: string, taskId: string): OrderedText => ({
  ...toOwner(maintenanceDone, 'maintenance-charged.owner@1', ownerId),
  taskId,
  occasion: 'charged',
});

/** To the owner. What is charged is read from the ledger when the message is sent; `waits`: a second person is asked about it. */
export const maintenanceDoneMessage = (ownerId: string, taskId: string, waits: boolean): OrderedText => ({
  ...toOwner(maintenanceDone, waits ? 'maintenance-undecided.owner@1' : 'maintenance-done.owner@1', ownerId),
  taskId,
});
