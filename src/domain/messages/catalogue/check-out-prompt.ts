import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL, whileStayIs } from './define.ts';
import { toStaffOrOps } from './deliveries.ts';

export const checkOutPrompt = defineMessage({
  event: 'CHECK_OUT_PROMPT',
  cause: 'when the guest has left, and the stay is not checked out',
  to: { STAFF: { channels: MAIL }, OPS: { channels: MAIL } },
  variables: ['recipientName', 'propertyName', 'reservationId'],
  stillTrue: whileStayIs('CHECKED_IN'),
  texts: {
    'check-out-prompt.staff@1': {
      en: {
        subject: 'Please check out: {reservationId} - {propertyName}',
        message: `Dear {recipientName},

The guest of {propertyName} has left, but is not checked out yet. Please check the reservation out: {reservationId}.`,
      },
    },
    'check-out-prompt.ops@1': {
      en: {
        subject: 'Please check out: {reservationId} - {propertyName}',
        message: 'The guest of {propertyName} has left, but is not checked out yet: {reservationId}.',
      },
    },
  },
});

/** To the agents of the property; without any, to operations. `taskId`: of the meeting. */
export const checkOutPromptMessages = (agents: readonly string[], taskId: string): readonly OrderedText[] =>
  toStaffOrOps(checkOutPrompt, { staff: 'check-out-prompt.staff@1', ops: 'check-out-prompt.ops@1' }, agents, taskId);
