import { API, type OperationTexts, PAGED, PORTFOLIO } from './kinds.ts';

export const MESSAGES: OperationTexts = {
  [`GET ${API}/notifications`]: {
    id: 'listNotifications',
    text: `Mails and SMS that were sent, wait for their time, failed or were left out, each with the reason. ${PAGED} ${PORTFOLIO}`,
  },
  [`GET ${API}/notifications/:id`]: {
    id: 'getNotification',
    text: `One message: its state, why it is due when it is, and in which language it went out. What it said is at \`/content\`. ${PORTFOLIO}`,
  },
  [`GET ${API}/notifications/:id/content`]: {
    id: 'getNotificationContent',
    text: 'The text as it was sent, or as it would be sent now. Access codes and other secrets are left out.',
  },
  [`POST ${API}/notifications/:id/resend`]: {
    id: 'resendNotification',
    text: 'Sends the message once more as a new one, over the same channel or the one that is named. Refused with `INVALID_STATE_TRANSITION` while the first is still on its way.',
  },
  [`GET ${API}/notification-rules`]: {
    id: 'getNotificationRules',
    text: 'Quiet hours on the recipient’s clock, the channels that keep them, and when guests are asked for a review.',
  },
  [`PATCH ${API}/notification-rules`]: {
    id: 'updateNotificationRules',
    text: 'Changes the fields that are sent. Reminders that are planned already are moved to the new hours.',
  },
  [`GET ${API}/notification-settings`]: {
    id: 'getNotificationSettings',
    text: 'Which message goes to whom over which channel, and what is switched off for everybody. What is `required` cannot be switched off.',
  },
  [`PUT ${API}/notification-settings`]: {
    id: 'setNotificationSetting',
    text: 'Switches one message for one kind of recipient and one channel off or on for everybody. A message that is required is refused with `MESSAGE_REQUIRED`.',
  },
  [`GET ${API}/:party/:id/notification-preferences`]: {
    id: 'getNotificationPreferences',
    text: 'What this guest, owner or staff member does not want to get, and whether staff get one digest a day.',
  },
  [`PUT ${API}/:party/:id/notification-preferences`]: {
    id: 'setNotificationPreferences',
    text: 'Replaces the preferences as a whole. `*` as the event declines everything that may be declined; a message that must be sent is refused with `MESSAGE_REQUIRED`.',
  },
  [`GET ${API}/templates`]: {
    id: 'listTemplates',
    text: 'Every kind of message with its variables, the languages that have a text, and those that lack one.',
  },
  [`GET ${API}/templates/:key`]: {
    id: 'getTemplate',
    text: 'One kind of message with its built-in texts and every version that was saved.',
  },
  [`POST ${API}/templates/:key/versions`]: {
    id: 'createTemplateVersion',
    text: 'Saves a text for one language; it counts from the next message on. A variable that the message does not have is `TEMPLATE_UNKNOWN_VARIABLE` with the nearest right one, an SMS of more than three parts is `TEMPLATE_TOO_LONG`.',
  },
  [`POST ${API}/templates/:key/preview`]: {
    id: 'previewTemplate',
    text: 'The message as its recipient would see it, as mail and SMS: with the text of the body or the one in force, with example values or the facts of a reservation. Nothing is saved or sent.',
  },
};
