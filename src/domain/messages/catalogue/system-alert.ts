import { sql } from 'kysely';
import { ALERT_EVENT, ALERT_TEXTS } from '../../notifications/alerts.ts';
import { defineMessage, MAIL } from './define.ts';

/** The stay of what an alert is about; its saga may be about a transaction of the stay. */
const STAY = sql`(SELECT r.id, p.name AS property, g.name AS guest, r.check_in_date AS arrival,
    coalesce(r.departure_date, r.check_out_date) AS departure, p.time_zone AS zone
  FROM reservation r JOIN property p ON p.id = r.property_id JOIN guest g ON g.id = r.guest_id
  WHERE r.id = CASE n.params ->> 'about'
    WHEN 'reservation' THEN n.params ->> 'sagaId'
    WHEN 'task' THEN (SELECT k.reservation_id FROM task k WHERE k.id = n.params ->> 'sagaId')
    WHEN 'message' THEN (SELECT m.reservation_id FROM notification m WHERE m.id = n.params ->> 'sagaId')
    WHEN 'gateway' THEN coalesce((SELECT x.reservation_id FROM transaction x WHERE x.id = n.params ->> 'sagaId'),
      (SELECT y.reservation_id FROM payment y WHERE y.id = n.params ->> 'sagaId'))
    ELSE (SELECT CASE s.subject_type WHEN 'transaction' THEN (SELECT x.reservation_id FROM transaction x WHERE x.id = s.subject_id)
      ELSE s.subject_id END FROM saga s WHERE s.id = n.params ->> 'sagaId') END) stay`;
const ofStay = (column: string) => sql<string | null>`(SELECT stay.${sql.id(column)}::text FROM ${STAY})`;

/** The event and the keys of its texts are those of `notifications/alerts.ts`, where the subject of an alert decides its text. */
export const systemAlert = defineMessage({
  event: ALERT_EVENT,
  cause: 'when a saga, a task or a part of the system needs a person',
  to: { OPS: { channels: MAIL, required: true } },
  variables: [
    'sagaName',
    'step',
    'code',
    'sagaId',
    'alertStay',
    'alertSince',
    'alertUrl',
    'alertWhat',
    'alertNext',
    'alertRemedy',
  ],
  loads: {
    stay: ofStay('id'),
    property: ofStay('property'),
    guest: ofStay('guest'),
    arrival: ofStay('arrival'),
    departure: ofStay('departure'),
    zone: ofStay('zone'),
    place: sql<string | null>`(SELECT p.name FROM task k JOIN property p ON p.id = k.property_id
      WHERE n.params ->> 'about' = 'task' AND k.id = n.params ->> 'sagaId')`,
  },
  // Somebody is needed now.
  atAnyHour: true,
  texts: {
    /** About a task; other texts have other ways out. */
    [ALERT_TEXTS.task]: {
      en: {
        subject: 'Roomy needs a person: {step} task - {code}',
        message: `{alertWhat}

Whom it concerns: {alertStay}
Type: {step|not known}
Reason: {code}
Since: {alertSince}
Task: {sagaId}

What happens by itself: {alertNext}

What you can do: {alertRemedy}

{alertUrl}`,
      },
    },
    /** About one of those that are not sent, for the same reason within the hour. */
    [ALERT_TEXTS.message]: {
      en: {
        subject: 'A message was not sent: {step|not known} - {code}',
        message: `{alertWhat}

Whom it concerns: {alertStay}
Text: {step|not known}
Reason: {code}
Since: {alertSince}
Message: {sagaId}

What happens by itself: {alertNext}

What you can do: {alertRemedy}

Others with the same text and reason within the hour are not told again.

{alertUrl}`,
      },
    },
    [ALERT_TEXTS.saga]: {
      en: {
        subject: 'Roomy needs a person: {sagaName} - {code}',
        message: `{sagaName} stopped and cannot go on by itself.

Whom it concerns: {alertStay}
Step: {step|not known}
Reason: {code}
Since: {alertSince}
Saga: {sagaId}

Retry or resolve it through the API, or on its page, which says what has been tried:

{alertUrl}`,
      },
    },
    /** Nothing has happened yet, and no retry helps. */
    [ALERT_TEXTS.approval]: {
      en: {
        subject: 'Roomy needs a second person: {sagaName}',
        message: `{sagaName} waits for an approval. Nothing has happened yet.

Whom it concerns: {alertStay}
About: {sagaId}
Since: {alertSince}

GET /api/production/approvals?status=PENDING shows what is asked, how much, and until when. Somebody other than who asked answers with POST /api/production/approvals/<id>. A retry is no answer.

{alertUrl}`,
      },
    },
    /** It failed before its point of no return. Nobody can retry or resolve it. */
    [ALERT_TEXTS['undone-saga']]: {
      en: {
        subject: 'Undone: {sagaName} - {code}',
        message: `{sagaName} failed, and the steps that it had done are undone. It does not wait for you: it can be neither retried nor resolved. The caller has the answer.

Whom it concerns: {alertStay}
Step: {step|not known}
Reason: {code}
Since: {alertSince}
Saga: {sagaId}

For the same step and reason there is no other mail within this hour.

{alertUrl}`,
      },
    },
    /** It is open and makes no progress. */
    [ALERT_TEXTS['stuck-saga']]: {
      en: {
        subject: 'No progress: {sagaName} - {code}',
        message: `{sagaName} was put into the queue again four times, and no step was finished. The system goes on trying by itself: do not retry or resolve it.

Whom it concerns: {alertStay}
Step: {step|not known}
Reason: {code}
Since: {alertSince}
Saga: {sagaId}

Look at the workers: are they running, and do they end with an error?

{alertUrl}`,
      },
    },
    [ALERT_TEXTS.refund]: {
      en: {
        subject: 'A refund must be sent by hand: {code}',
        message: `A gateway refuses a refund for good. The money stays owed to the guest, and a task of type FINANCE waits.

Whom it concerns: {alertStay}
Since: {alertSince}
Saga: {sagaId}

Send it another way, and record that with POST /api/production/transactions/<id of the refund>/settlement.

{alertUrl}`,
      },
    },
    /** About what is neither a saga nor a task: money, a gateway, a webhook endpoint, a channel, a rule. */
    [ALERT_TEXTS.other]: {
      en: {
        subject: 'Roomy needs a person: {sagaName} - {code}',
        message: `{alertWhat}

Whom it concerns: {alertStay}
Where: {sagaName}
What: {step|not known}
Reason: {code}
Since: {alertSince}
About: {sagaId|not known}

What happens by itself: {alertNext}

What you can do: {alertRemedy}

Others of the same kind within the hour are not told again.

{alertUrl}`,
      },
    },
  },
});
