import { API, type OperationTexts, PAGED, PORTFOLIO } from './kinds.ts';

const incident = {
  id: 'incident-1',
  kind: 'QUEUE_PAUSED',
  subject: 'finance',
  area: 'ENGINE',
  severity: 'CRITICAL',
  status: 'OPEN',
  summary: 'The queue "finance" is paused: none of its jobs is run.',
  next: 'Nobody but a person resumes a queue.',
  remedy: 'Resume the queue, on the page of this incident or of the system.',
  count: 1,
  most: 1,
  since: '2024-02-01T02:10:00.000Z',
  firstAt: '2024-02-01T02:10:20.000Z',
  lastAt: '2024-02-01T02:15:10.000Z',
  mutedUntil: null,
  mutedBy: null,
  closedAt: null,
  closedBy: null,
  reason: null,
  examples: [],
  version: 1,
};

const REPORT = `The period is the last 30 days when it is not said, and three years at the most; days are those of the property that is asked for, else of \`zone\`, else of the agency. \`total\` is the whole, \`groups\` its parts by \`groupBy\`, both of one moment; \`format=csv\` answers the same as a file. ${PORTFOLIO}`;

const hold = {
  id: 'hold-1',
  scope: 'NAME',
  subject: 'checkOut',
  status: 'OPEN',
  reason: 'The locks get a new server tonight',
  heldBy: 'ops-1',
  heldAt: '2024-02-01T02:10:00.000Z',
  releasedBy: null,
  releasedAt: null,
  releaseReason: null,
  version: 1,
};

export const OPERATIONS_OF_OPERATORS: OperationTexts = {
  [`GET ${API}/analytics/conversion`]: {
    id: 'reportConversion',
    text: `How many of the stays that were entered in the period were confirmed at any time since. What still waits and is younger than 24 hours is not counted yet. ${REPORT}`,
  },
  [`GET ${API}/analytics/payments`]: {
    id: 'reportPayments',
    text: `How many of the charges that were tried in the period were taken, and of those that were the first of their stay. \`groupBy=code\` says why the others were refused; the group without a key are those that were taken. ${REPORT}`,
  },
  [`GET ${API}/analytics/tasks`]: {
    id: 'reportOnTimeWork',
    text: `How much of the work whose deadline lies in the period was done by it. Withdrawn and merged tasks are not counted, and what may still be done in time is not late. ${REPORT}`,
  },
  [`GET ${API}/analytics/satisfaction`]: {
    id: 'reportSatisfaction',
    text: `The mean of the ratings of the stays whose guests left in the period, whenever they rated them, and how many of them have. ${REPORT}`,
  },
  [`GET ${API}/analytics/payouts`]: {
    id: 'reportPayoutTimes',
    text: `Median and 95th percentile of the hours from a guest’s payment to the payout of the owner’s share, and of its lateness against the day that was promised, of payouts that completed in the period. ${REPORT}`,
  },
  [`GET ${API}/holds`]: {
    id: 'listHolds',
    text: `What people have paused, and what they have resumed since. \`status=OPEN\` is what is paused now; \`GET sagas/executions/:id\` says in \`pausedBy\` whether that keeps an execution from going on. ${PAGED}`,
    answer: { success: true, data: [hold], nextCursor: null },
  },
  [`GET ${API}/holds/:id`]: {
    id: 'getHold',
    text: 'One hold: what is paused, by whom, when and why, and the same of its release once somebody has resumed it.',
    answer: { success: true, data: hold },
  },
  [`POST ${API}/holds`]: {
    id: 'createHold',
    text: 'Pauses every saga, the sagas of a name, one step of a name, the steps that speak to another system, or one execution. What is paused begins no further step and no undoing, uses no attempt, and is neither timed out nor parked; a step that has begun ends first, and local steps right behind it may, for less than a second. Requests are still accepted, and answered 202. It lasts until it is released, through a restart and an emptied Redis. `FINANCE` pauses what is about money.',
    answer: { success: true, data: hold, message: 'Paused' },
  },
  [`POST ${API}/holds/:id/release`]: {
    id: 'releaseHold',
    text: 'Resumes what the hold has paused, if no other hold keeps it: within seconds, at most 500 executions a second, each at the step at which it stood, and with at least 15 minutes before its deadline. A hold that is released stays in the list; to pause again makes another one.',
    answer: {
      success: true,
      data: {
        ...hold,
        status: 'RELEASED',
        releasedBy: 'ops-1',
        releasedAt: '2024-02-01T04:00:00.000Z',
        releaseReason: 'The new server is in use',
        version: 2,
      },
    },
  },
  [`GET ${API}/search`]: {
    id: 'searchRecords',
    text: `Finds what is meant by a few words or an id: stays, guests, properties, owners, staff, sagas, transactions, payments, tasks, messages, incidents, requests and texts of messages, by kind, each with its state, its moment, the stay that it belongs to and its page in the console. \`q\` may be the id of any of these or of a request, a gateway’s or a bank’s reference, the code of an error, of an incident or of a message, who did it, a date (who comes or leaves, what is due, what was asked or booked that day), or the beginning of a word of a name, of an e-mail address or of a phone number. With a guest come the guest’s stays, with a property those from today on, with a stay in \`related\` its sagas, payments, refunds, payouts and disputes. Of each kind a caller finds what its list shows them, and of other kinds nothing: who may not list guests finds nobody by a name. \`from\` and \`to\` bound what has a moment, and stays by their days; what somebody did is looked for among the newest 500 where the caller sees only a part of it. A \`propertyId\` that the caller does not see is 404 \`NOT_FOUND\`. ${PORTFOLIO}`,
  },
  [`GET ${API}/incidents`]: {
    id: 'listIncidents',
    text: `What stands still or may be lost, as an API process finds it every ten seconds: roles without a worker, paused queues, work that waits, sagas that try in vain or wait for a person, circuits that are open, an audit trail that was changed. Grouped by cause; none has a name or an amount. \`FINANCE\` sees those about money. ${PAGED}`,
    answer: { success: true, data: [incident], nextCursor: null },
  },
  [`GET ${API}/incidents/:id`]: {
    id: 'getIncident',
    text: 'One incident, with the first five records that it is about, and who was told of it when.',
    answer: {
      success: true,
      data: {
        ...incident,
        told: [{ what: 'OPENED', target: 'OPS', toldAt: '2024-02-01T02:10:20.000Z', attempts: 1, lastError: null }],
      },
    },
  },
  [`POST ${API}/incidents/:id/close`]: {
    id: 'closeIncident',
    text: 'Says that it is over, or that nobody need hear of it. It stays closed while the same is found without a gap of a minute; found again after that, it is another incident. Most close by themselves half a minute after their cause is gone.',
    answer: {
      success: true,
      data: {
        ...incident,
        status: 'CLOSED',
        closedAt: '2024-02-01T02:20:00.000Z',
        closedBy: 'ops-1',
        reason: 'The worker was moved to another host',
        version: 2,
      },
    },
  },
  [`GET ${API}/incidents/:id/redrive`]: {
    id: 'getRedrive',
    text: 'For an incident about sagas that are parked, or back off, at one step for one reason, or about a circuit, whose sagas are all that this device, gateway or bank keeps from coming on, of any name and step: how many there are now and since when, whether anybody was told of each or not; what has been ordered so far, and how each of those sagas stands. The incident may be over: what was parked meanwhile is still. `group` is null for any other incident.',
  },
  [`POST ${API}/incidents/:id/redrive`]: {
    id: 'orderRedrive',
    text: 'Has all sagas of an incident tried again, those that have stood longest first: `perSecond` of them a second, never more under way than may still fail, 10 000 at the most, each as by its own retry, or by `retry-now` if it backed off, in the name of who ordered it and with the reason. It ends when all were tried, when `stopAfterErrors` of them have failed once more, or when somebody stops it; an emptied Redis and a restart do not end it. What waits for an approval is not touched. Count first, by `GET`. `INVALID_STATE_TRANSITION` when nothing stands still, or one is under way.',
  },
  [`POST ${API}/incidents/:id/redrive/stop`]: {
    id: 'stopRedrive',
    text: 'Stops what was ordered. Sagas that were tried go on; those that were not stay as they are.',
  },
  [`POST ${API}/incidents/:id/mute`]: {
    id: 'muteIncident',
    text: 'Keeps it open, and tells nobody until then: neither that it goes on nor, but for the program of the webhook, that it is over. `until` lies ahead, by 30 days at the most.',
    answer: {
      success: true,
      data: {
        ...incident,
        mutedUntil: '2024-02-01T06:00:00.000Z',
        mutedBy: 'ops-1',
        reason: 'The provider is being moved tonight',
        version: 2,
      },
    },
  },
};
