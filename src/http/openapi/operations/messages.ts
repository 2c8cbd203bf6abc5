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
  [`GET ${API}/schedules`]: {
    id: 'listSchedules',
    text: 'What runs by the clock, such as the sweep that assigns tasks: its name, its queue and job as Bull Board has them, and how often it runs. Most of it also runs within a second when something is due.',
  },
  [`POST ${API}/schedules/:schedule/run`]: {
    id: 'runSchedule',
    text: 'Has the work of a schedule done as soon as a worker takes it, beside its turns by the clock. It is the same job, which looks in Postgres for what is due, so that running it twice does nothing twice; while one that was asked for waits, no other is made. `SERVICE_UNAVAILABLE`: the queues do not answer, and nothing was asked for. The reason is kept in the audit trail.',
  },
  [`GET ${API}/queues`]: {
    id: 'listQueues',
    text: 'The queues by which work travels, whether each is paused, and since when, by whom and why, as far as the audit trail of late says. `SERVICE_UNAVAILABLE`: the queues do not answer.',
  },
  [`POST ${API}/queues/:queue/pause`]: {
    id: 'pauseQueue',
    text: 'None of its jobs is taken up any more, in no worker, until somebody resumes it; what has begun ends. Requests are still accepted, and nothing is lost: due work is in Postgres. Pausing it twice does nothing twice. Mind what a queue carries: `notifications` paused means no mails and no alerts. For sagas use a hold, which outlives an emptied Redis. The reason is kept in the audit trail.',
  },
  [`POST ${API}/queues/:queue/resume`]: {
    id: 'resumeQueue',
    text: 'Its jobs are taken up again, whoever paused it, here or in Bull Board; the incident `QUEUE_PAUSED` then closes by itself. The reason is kept in the audit trail.',
  },
  [`GET ${API}/sweep-failures`]: {
    id: 'listSweepFailures',
    text: `Rows that work by the clock could not do because of the row itself, such as a message to a guest whose saved time zone does not exist: why, how often, and when it is tried again (after 1, 4, 16 and 64 minutes, about 4 hours, then every 6). The rest of their batch went on. ${PAGED}`,
    answer: {
      success: true,
      data: [
        {
          id: 'messages:notification-1',
          sweep: 'messages',
          kind: 'notification',
          rowId: 'notification-1',
          reason: 'RangeError: Invalid time zone specified: IST',
          attempts: 2,
          firstAt: '2024-02-01T09:00:00.000Z',
          lastAt: '2024-02-01T09:01:00.000Z',
          nextTryAt: '2024-02-01T09:05:00.000Z',
        },
      ],
      nextCursor: null,
    },
  },
  [`POST ${API}/sweep-failures/retry`]: {
    id: 'retrySweepFailures',
    text: 'Has rows that were set aside tried again at once instead of at `nextTryAt`, once their cause is mended: all of them, those of one `sweep`, or `ids`; 500 a call, `more` says whether to call again. Messages that had ended because of it are sent once more as messages of their own.',
    answer: { success: true, data: { released: 1, resent: 1, more: false } },
  },
  [`POST ${API}/notifications/resend`]: {
    id: 'resendLostNotifications',
    text: 'Sends messages once more that ended as `FAILED` or `BLOCKED`, over their own channel, once what kept them back is mended; without `from` and `ids` those of the last 30 days. Each goes once: not what was sent again before, nor what was told over the other channel instead. A message that is no longer true, or would come too late, is skipped. Oldest first, 500 a call; `more` says whether to call again. An agent sends what is about its portfolio only.',
    answer: { success: true, data: { resent: 15, more: false, from: '2024-01-31T20:00:00.000Z', to: null } },
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
