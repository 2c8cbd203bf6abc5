import { ALERT_EVENT, ALERT_TEXTS } from '../../notifications/alerts.ts';
import { defineMessage, MAIL } from './define.ts';

/** The event and the keys of its texts are those of `notifications/alerts.ts`, where the subject of an alert decides its text. */
export const systemAlert = defineMessage({
  event: ALERT_EVENT,
  cause: 'when a saga, a task or a part of the system needs a person',
  to: { OPS: { channels: MAIL, required: true } },
  variables: ['sagaName', 'step', 'code', 'sagaId'],
  // Somebody is needed now.
  atAnyHour: true,
  texts: {
    /** About a task; other texts have other ways out. */
    [ALERT_TEXTS.task]: {
      en: {
        subject: 'Roomy needs a person: {step} task - {code}',
        message: `A task needs attention: {sagaId}.

Type: {step|not known}
Reason: {code}

GET /api/production/tasks/{sagaId}/assignment tells who was looked at, and why nobody has it.`,
      },
    },
    [ALERT_TEXTS.saga]: {
      en: {
        subject: 'Roomy needs a person: {sagaName} - {code}',
        message: `{sagaName} stopped and cannot go on by itself.

Step: {step|not known}
Reason: {code}
Saga: {sagaId}

Retry or resolve it through the API or on the ops port.`,
      },
    },
    /** Nothing has happened yet, and no retry helps. */
    [ALERT_TEXTS.approval]: {
      en: {
        subject: 'Roomy needs a second person: {sagaName}',
        message: `{sagaName} waits for an approval. Nothing has happened yet.

About: {sagaId}

GET /api/production/approvals?status=PENDING shows what is asked, how much, and until when. Somebody other than who asked answers with POST /api/production/approvals/<id>. A retry is no answer.`,
      },
    },
    /** It failed before its point of no return. Nobody can retry or resolve it. */
    [ALERT_TEXTS['undone-saga']]: {
      en: {
        subject: 'Undone: {sagaName} - {code}',
        message: `{sagaName} failed, and the steps that it had done are undone. It does not wait for you: it can be neither retried nor resolved. The caller has the answer.

Step: {step|not known}
Reason: {code}
Saga: {sagaId}

For the same step and reason there is no other mail within this hour.`,
      },
    },
    /** It is open and makes no progress. */
    [ALERT_TEXTS['stuck-saga']]: {
      en: {
        subject: 'No progress: {sagaName} - {code}',
        message: `{sagaName} was put into the queue again four times, and no step was finished. The system goes on trying by itself: do not retry or resolve it.

Step: {step|not known}
Reason: {code}
Saga: {sagaId}

Look at the workers: are they running, and do they end with an error?`,
      },
    },
    [ALERT_TEXTS.refund]: {
      en: {
        subject: 'A refund must be sent by hand: {code}',
        message: `A gateway refuses a refund for good. The money stays owed to the guest, and a task of type FINANCE waits.

Saga: {sagaId}

Send it another way, and record that with POST /api/production/transactions/<id of the refund>/settlement.`,
      },
    },
    /** About what is neither a saga nor a task: money, a gateway, a message, a webhook endpoint, a channel, a rule. */
    [ALERT_TEXTS.other]: {
      en: {
        subject: 'Roomy needs a person: {sagaName} - {code}',
        message: `Something about {sagaName} needs attention.

What: {step|not known}
Reason: {code}
About: {sagaId|not known}

Others of the same kind within the hour are not told again.`,
      },
    },
  },
});
