import { API, type OperationTexts, PAGED, PORTFOLIO, VERSIONED } from './kinds.ts';

const ENDPOINTS = `${API}/webhook-endpoints`;
const SAGAS = `${API}/sagas`;

export const EVENTS: OperationTexts = {
  [`GET ${API}/events`]: {
    id: 'listEvents',
    text: 'What has happened after a place in the feed (`after`, 0 for the beginning), in order, without gaps and the same for everybody; amounts are null for operators, and for services without `finance:read`. Go on with `after` set to `nextAfter`. Events are kept for a time that the installation sets; what came next and is gone is 410 `EVENTS_EXPIRED`.',
  },
  [`GET ${API}/event-types`]: {
    id: 'listEventTypes',
    text: 'The closed list of event types, each with what it means and an example as a webhook gets it. `types` of an endpoint and `type` of the feed take these, and `task.*` for all of one kind of record.',
  },
  [`GET ${API}/events/stream`]: {
    id: 'streamEvents',
    text: 'The same feed as server-sent events, for as long as the connection lasts; with `Upgrade: websocket` as messages of a WebSocket, each with the fields `id`, `event` and `data`. It goes on after `Last-Event-ID`, which browsers send by themselves, or after `after`; without either it begins now. With `steps=true`, for those who may read executions, each step of a saga that has come into another state is told as `step`, within a second and without an id: it is no event of the feed. A browser, which can send no token here, comes with a `ticket`. A caller has a few streams at a time; one more is 429 `TOO_MANY_STREAMS`. Who does not read is let go after 20 seconds, and goes on with the last `id`.',
  },
  [`POST ${API}/events/tickets`]: {
    id: 'createStreamTicket',
    text: 'Answers a `ticket` for the address of the stream (`GET /events/stream?ticket=...`), for pages in a browser: it opens one stream within a minute, with the rights that the caller has now, and nothing else. A page whose connection was lost gets a new one, and goes on with `after` set to the last `id` that came.',
  },
  [`GET ${ENDPOINTS}`]: {
    id: 'listWebhookEndpoints',
    text: `Addresses that are called when something happens. ${PAGED}`,
  },
  [`POST ${ENDPOINTS}`]: {
    id: 'createWebhookEndpoint',
    text: 'Has an address called for each event of the named types (all without any) from now on, after Standard Webhooks. The `secret` that verifies `webhook-signature` is answered once and never again. Addresses must be public and https; others are `WEBHOOK_URL_REFUSED`.',
  },
  [`GET ${ENDPOINTS}/:id`]: {
    id: 'getWebhookEndpoint',
    text: 'The endpoint without its secret: which event comes next, and whether and why it was switched off.',
  },
  [`PATCH ${ENDPOINTS}/:id`]: {
    id: 'updateWebhookEndpoint',
    text: `Changes address, description or types. ${VERSIONED}`,
  },
  [`DELETE ${ENDPOINTS}/:id`]: {
    id: 'deleteWebhookEndpoint',
    text: 'Removes the endpoint. It is not called again; events that it has not taken are not kept for it.',
  },
  [`POST ${ENDPOINTS}/:id/rotate-secret`]: {
    id: 'rotateWebhookSecret',
    text: 'Makes a new secret and answers it once. For a day every call carries signatures of both, so that the consumer can change over without losing one.',
  },
  [`POST ${ENDPOINTS}/:id/enable`]: {
    id: 'enableWebhookEndpoint',
    text: 'Calls an endpoint again that was switched off after three days of failures or an answer 410; it goes on with the event at which it stopped.',
  },
  [`POST ${ENDPOINTS}/:id/replay`]: {
    id: 'replayWebhookEvents',
    text: 'Sends events again, from a place in the feed (`afterSeq`) or from an instant on (`since`); give one of the two. `webhook-id` stays the same, so that a consumer recognises what it has had.',
  },
  [`POST ${ENDPOINTS}/:id/test`]: {
    id: 'testWebhookEndpoint',
    text: 'Calls the address once, now, with the event `webhook.ping`, and answers what came back. It counts for nothing and is not repeated.',
  },
  [`GET ${ENDPOINTS}/:id/deliveries`]: {
    id: 'listWebhookDeliveries',
    text: 'Calls that were tried, newest first, each with the status or the reason of its failure. Go on with `before` set to the last `id`.',
  },
  [`POST ${API}/webhooks/:provider`]: {
    id: 'receiveProviderCall',
    text: 'Called by a payment provider with events, each counted once, or by a provider of messages with what became of one: `webhooks/stripe` with `Stripe-Signature`, `webhooks/twilio` with a form and `X-Twilio-Signature`. Each call is signed as its provider does; the address is not for other clients. 404 where no such provider is in use.',
  },
  [`GET ${SAGAS}`]: {
    id: 'listSagas',
    text: `Executions of business processes by status, name, reservation or time, and of those that do not come on by step, error code, direction, and the system to blame, with counts by status for the same filter. \`parked\` are those that wait for a person. ${PAGED} ${PORTFOLIO} A service client sees those that it started.`,
  },
  [`GET ${SAGAS}/failures`]: {
    id: 'listSagaFailures',
    text: `Open executions that are parked, or whose step has failed and is tried again, grouped by name, step, error code, direction, and the device, gateway or bank that is to blame: how many, since when, five examples, and the incidents about them, whose redrive tries all of them again. From the first failure on, not only once an incident tells of it; what waits for an approval is in none. The same filters as the list, which takes the fields of a group as filters. ${PORTFOLIO} A service client sees those that it started.`,
  },
  [`GET ${SAGAS}/executions/:id`]: {
    id: 'getSagaExecution',
    text: 'One execution with every step, its attempts, outputs and errors; compensations come last. This is what `Location` of a 202 leads to: ask again until the status is `completed`, `compensated` or `resolved`.',
  },
  [`GET ${SAGAS}/executions/:id/attempts`]: {
    id: 'listSagaAttempts',
    text: 'What was tried, step by step and then undone: each attempt of a call with its worker, duration, outcome and error, and of a local step the last attempt. The input and the outputs are shown without what a person wrote; amounts are null for operators.',
  },
  [`GET ${SAGAS}/executions/:id/export`]: {
    id: 'exportSaga',
    text: 'One execution as a document to send to somebody who helps: its input, steps, attempts, rows of the audit trail (the newest 1000) and what was paused meanwhile. It has ids, codes and times, and nothing that a person wrote; amounts are null for operators.',
  },
  [`POST ${SAGAS}/executions/:id/retry`]: {
    id: 'retrySaga',
    text: 'Resumes a `parked` execution at the step at which it stopped, with what earlier steps put out. With `fromStep`, at an earlier step, where everything from there was only read and may be read once more (`readsAgain`); what has changed something stays done, and the refusal names it (`INVALID_STATE_TRANSITION`). Anything else is `SAGA_NOT_PARKED`.',
  },
  [`POST ${SAGAS}/executions/:id/retry-now`]: {
    id: 'retrySagaNow',
    text: 'Makes the next attempt of a step that has failed and backs off now, forward or undoing. The attempt counts like any other; a circuit that is open stays open. `INVALID_STATE_TRANSITION` where nothing backs off: a `parked` execution is resumed by `retry`, a paused one by releasing its hold, and an attempt that is under way cannot be made twice.',
  },
  [`POST ${SAGAS}/executions/:id/skip`]: {
    id: 'skipSagaStep',
    text: 'Lets an execution that is `parked`, or whose step backs off, go on behind the step at which it stands, as if that had done nothing: somebody has seen to it by hand, or nobody needs it. `step` names that step, so that no other is skipped by mistake. Only a step with an `ifSkipped` is skipped, which says what follows and what is to be done by hand; none that moves money is. A skipped step is never undone, and keeps who skipped it and why. While the execution is being undone, the undo at which it stands is skipped in the same way, if it has an `ifSkipped`, and the undoing goes on. `INVALID_STATE_TRANSITION` for any other step, and while a call of it is under way; `SAGA_NOT_PARKED` while it goes on by itself.',
  },
  [`POST ${SAGAS}/executions/:id/amend`]: {
    id: 'amendSaga',
    text: 'Changes fields of the input of a `parked` execution and resumes it where it stopped, in one act. Only the fields in its `amendable`, never an amount, a payee or the id of a record. The input stays as it was accepted; what was changed, by whom and why is kept beside it (`amendments`). The step at which it stopped and those behind it read the new values, those before it keep what they have done. What waits for an approval is not amended: `APPROVAL_REQUIRED`.',
  },
  [`POST ${SAGAS}/executions/:id/cancel`]: {
    id: 'cancelSaga',
    text: 'Stops an execution that is `pending`, `running`, or `parked` on its way forward, and undoes in reverse what it has done. Who asked for it is answered as for any that was undone, with `SAGA_CANCELLED`, the reason and who cancelled it. `INVALID_STATE_TRANSITION` once its point of no return is passed or may have been, while a call is under way (ask again within seconds), and when it has ended or is being undone, and of a refund or a payout, which are owed: pause those. A question that it had asked is withdrawn.',
  },
  [`POST ${SAGAS}/executions/:id/resolve`]: {
    id: 'resolveSaga',
    text: 'Closes a `parked` execution that a person has settled in another way, with the reason, which is kept, and finishes its state in the same act: steps that a person has seen to count as skipped, and what is still needed here is done, such as the report of a check-out. `ifResolved` of the execution says beforehand what is done and what is left to do by hand. Where something would stay half done it is refused (`INVALID_STATE_TRANSITION`), and the sentence names the right hand. No message is sent.',
  },
  [`GET ${SAGAS}/:name/status`]: {
    id: 'getSagaStatus',
    text: 'How far the newest execution of a saga has come, for example `confirmReservation`; with `reservationId` or `executionId`, of that one. Never one that the caller may not see (404 `SAGA_NOT_FOUND`).',
  },
  [`GET ${API}/audit`]: {
    id: 'listAuditRows',
    text: `Who did what, for whom, in which request, and how it ended. ${PAGED} Each row carries the hash of the one before it. \`requestId\` finds what one request did: by an id that we made whenever it was, by one that a client chose within ten minutes of \`from\`, else of the last ten minutes.`,
  },
  [`GET ${API}/audit/verify`]: {
    id: 'verifyAudit',
    text: 'Recomputes the hash chains of the audit trail and names every row that does not fit; and compares the trail with its signed seals, which tell of what was removed or made anew as a whole. When it takes too long, `complete` is false: go on with `afterStream` set to `nextStream`, and once that is null with `afterSeal` set to `seals.nextSeal`.',
  },
  'GET /health/live': {
    id: 'checkLiveness',
    text: 'The process answers `ok` as long as it runs. For a supervisor that restarts it.',
  },
  'GET /health/ready': {
    id: 'checkReadiness',
    text: '`ok` when Postgres, its migrations, Redis and the relay are well; else 503 `fail`. For a load balancer.',
  },
};
