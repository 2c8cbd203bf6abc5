import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL, whileStayIs } from './define.ts';
import { toStaffOrOps } from './deliveries.ts';

export const checkInPrompt = defineMessage({
  event: 'CHECK_IN_PROMPT',
  cause: 'when the guest was met, and the stay is not checked in',
  to: { STAFF: { channels: MAIL }, OPS: { channels: MAIL } },
  variables: ['recipientName', 'propertyName', 'reservationId'],
  stillTrue: whileStayIs('CONFIRMED'),
  texts: {
    'check-in-prompt.staff@1': {
      en: {
        subject: 'Please check in: {reservationId} - {propertyName}',
        message: `Dear {recipientName},

The guest of {propertyName} has been met, but is not checked in yet. Please check the reservation in: {reservationId}.`,
      },
    },
    'check-in-prompt.ops@1': {
      en: {
        subject: 'Please check in: {reservationId} - {propertyName}',
        message: 'The guest of {propertyName} has been met, but is not checked in yet: {reservationId}.',
      },
    },
  },
});

/** To the agents of the property; without any, to operations. `taskId`: of the meeting. */
export const checkInPromptMessages = (agents: readonly string[], taskId: string): readonly OrderedText[] =>
  toStaffOrOps(checkInPrompt, { staff: 'check-in-prompt.staff@1', ops: 'check-in-prompt.ops@1' }, agents, taskId);
