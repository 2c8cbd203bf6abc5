/**
 * Every kind of incident there is: how grave it is, whose it is, and its words. `docs/runbook.md` has a heading for each, which
 * `test/architecture/runbook.test.ts` checks.
 */
export interface IncidentKindText {
  /** `CRITICAL`: something stands still, or may be lost. `WARNING`: it will, or one thing does. */
  readonly severity: 'CRITICAL' | 'WARNING';
  /** So long it must hold before anybody is told, in seconds; what passes by itself is no incident. */
  readonly afterSeconds: number;
  /** What has happened, in a sentence; `subject` and `count` are the incident's. */
  readonly says: (subject: string, count: number) => string;
  /** Who is told besides those who look after its area; default: operations, and the program of their choosing. */
  readonly toldTo?: 'FINANCE_ALONE';
  /** What the system does about it by itself. */
  readonly next: string;
  /** What a person can do. */
  readonly remedy: string;
}

const things = (count: number, one: string, many: string): string => (count === 1 ? `one ${one}` : `${count} ${many}`);
const AS_SOON = 'Work waits in Postgres, nothing is lost, and goes on by itself as soon as it can.';

export const INCIDENT_KINDS = {
  NO_WORKER: {
    severity: 'CRITICAL',
    afterSeconds: 10,
    says: (subject) => `No worker is alive that does the work of "${subject}".`,
    next: `${AS_SOON} Sagas whose deadline passes meanwhile are undone, or wait for a person.`,
    remedy: 'Start a worker with this role; the log of the last one says why it ended.',
  },
  QUEUE_PAUSED: {
    severity: 'CRITICAL',
    afterSeconds: 15,
    says: (subject) => `The queue "${subject}" is paused: none of its jobs is run.`,
    next: `${AS_SOON} Nobody but a person resumes a queue.`,
    remedy: 'Resume the queue, on the page of this incident or of the system, which says who paused it and why.',
  },
  SCHEDULE_MISSING: {
    severity: 'WARNING',
    afterSeconds: 90,
    says: (subject) => `The job scheduler "${subject}" is missing.`,
    next: 'Every worker puts missing schedulers back once a minute.',
    remedy: 'See that a worker is alive, and whether somebody deletes schedulers.',
  },
  REDIS_AWAY: {
    severity: 'CRITICAL',
    afterSeconds: 15,
    says: () => 'Redis does not answer.',
    next: `Requests are still accepted. ${AS_SOON}`,
    remedy: 'Start Redis, or mend the network to it. It may come back empty.',
  },
  REDIS_POLICY: {
    severity: 'CRITICAL',
    afterSeconds: 0,
    says: (subject) => `Redis may throw jobs away: its maxmemory-policy is "${subject}".`,
    next: 'Lost jobs are dispatched again from Postgres, each some seconds late.',
    remedy: 'Set maxmemory-policy to noeviction.',
  },
  REDIS_FULL: {
    severity: 'CRITICAL',
    afterSeconds: 0,
    says: () => 'Redis has used over nine tenths of its maxmemory; when it is full it refuses every job.',
    next: `Requests are still accepted. ${AS_SOON}`,
    remedy: 'Raise maxmemory, or empty Redis: it holds nothing that cannot be made again.',
  },
  WORK_WAITS: {
    severity: 'CRITICAL',
    afterSeconds: 25,
    says: (subject) => `Nothing takes up what is due: ${subject}.`,
    next: `${AS_SOON}`,
    remedy: 'Look for incidents beside this one: no worker, a paused queue, Redis away. Else the log of the workers.',
  },
  SAGA_RETRYING: {
    severity: 'WARNING',
    afterSeconds: 0,
    says: (subject, count) =>
      `For over ten minutes ${things(count, 'saga has', 'sagas have')} tried in vain: ${subject}.`,
    next: 'Each is tried again, less and less often: most for some minutes, payouts for a day, refunds for three. Then it is undone, or waits for a person.',
    remedy: 'Mend what refuses; each saga then goes on with its next attempt.',
  },
  SAGA_PARKED: {
    severity: 'WARNING',
    afterSeconds: 0,
    says: (subject, count) => `For over an hour ${things(count, 'saga waits', 'sagas wait')} for a person: ${subject}.`,
    next: 'Nothing: a parked saga waits until a person retries or resolves it, and keeps its stay from other requests.',
    remedy: 'Retry it when the cause is mended, or resolve it with what was done instead.',
  },
  SAGAS_PAUSED: {
    severity: 'WARNING',
    afterSeconds: 0,
    says: (subject) => `For over an hour sagas have been paused: ${subject}.`,
    next: 'Nothing: what is paused is neither done nor undone until a person resumes it. Requests are still accepted.',
    remedy: 'Resume it when the reason is gone: /console/system, or POST holds/{id}/release.',
  },
  APPROVAL_WAITS: {
    severity: 'WARNING',
    afterSeconds: 0,
    toldTo: 'FINANCE_ALONE',
    says: (subject) => `A second person has to decide about money: ${subject}.`,
    next: 'What nobody decides until its end counts as refused; an account of an owner counts then.',
    remedy: 'Approve or decline on the page of this incident, as somebody who did not ask.',
  },
  PAYMENT_DECLINED: {
    severity: 'WARNING',
    afterSeconds: 0,
    says: (subject, count) =>
      `The payment of ${things(count, 'stay', 'stays')} has failed, and nobody has paid since: ${subject}.`,
    next: 'The guest has a mail, and may try again. Nothing is charged by itself; the amount stays due.',
    remedy: 'Open the stay, and take a payment with another card or in another way; or ask the guest.',
  },
  DISPUTE_WAITS: {
    severity: 'WARNING',
    afterSeconds: 0,
    toldTo: 'FINANCE_ALONE',
    says: (subject, count) =>
      `The bank of a guest claims the payment of ${things(count, 'stay', 'stays')} back, and nobody has answered: ${subject}.`,
    next: 'The payouts of the stay are held. What nobody answers in time is lost; the outcome is booked by itself.',
    remedy:
      'Look at the stay. Who was charged twice gets what was too much back on its page, as long as the bank only inquires (PENDING). Answer all else in the dashboard of the gateway, and complete the task.',
  },
  CIRCUIT_OPEN: {
    severity: 'WARNING',
    afterSeconds: 0,
    says: (subject) => `"${subject}" has failed five times in a row, and is left alone for a while.`,
    next: 'One call after each pause, of at most 30 s, finds out whether it is well again; a call that is kept back meanwhile uses up no attempt.',
    remedy:
      'Ask its provider whether it is down, and look whether its address and keys are right. Once it answers, try all that it has stopped again, on the page of the incident.',
  },
  AUDIT_BROKEN: {
    severity: 'CRITICAL',
    afterSeconds: 0,
    says: (_subject, count) =>
      `The audit trail was changed: ${things(count, 'row does', 'rows do')} not fit into the chain.`,
    next: 'Nothing is repaired. The trail goes on behind the break, and every walk names it again.',
    remedy: 'Somebody has written to the database by hand: find out who, keep a copy, and compare with a backup.',
  },
  AUDIT_LATE: {
    severity: 'WARNING',
    afterSeconds: 0,
    says: () => 'The audit trail has not been verified as a whole for over a day.',
    next: 'The walk goes on where it stands.',
    remedy: 'See whether Postgres has time for it: the log says when a look of the watchdog fails.',
  },
  AUDIT_SEAL_BROKEN: {
    severity: 'CRITICAL',
    afterSeconds: 0,
    says: (_subject, count) =>
      `The audit trail is not what it was when it was sealed: ${things(count, 'seal does', 'seals do')} not agree with it.`,
    next: 'Nothing is repaired. What comes next is sealed, and every walk names these again.',
    remedy:
      'Rows were changed, removed or added behind our back, or a backup was restored: find out who, keep copies of the database and of the seals, and compare with a backup.',
  },
  AUDIT_UNSEALED: {
    severity: 'WARNING',
    afterSeconds: 0,
    says: () => 'For over two minutes nothing of the audit trail could be sealed.',
    next: 'All of it is sealed as soon as that is possible.',
    remedy:
      'Most likely a transaction that writes to the trail has been open for as long: end it, and find out whose it is.',
  },
  ROWS_SET_ASIDE: {
    severity: 'WARNING',
    afterSeconds: 0,
    says: (subject, count) =>
      `The sweep "${subject}" cannot work on ${things(count, 'row', 'rows')}, and leaves ${count === 1 ? 'it' : 'them'} aside.`,
    next: 'Each is tried again after 1, 4, 16 and 64 minutes, then every few hours. All others are worked on.',
    remedy: 'GET sweep-failures names the rows and the reason; mend the value, and POST sweep-failures/retry.',
  },
  WEBHOOK_FAILING: {
    severity: 'WARNING',
    afterSeconds: 0,
    says: (subject) => `The webhook endpoint ${subject} has taken nothing for over an hour.`,
    next: 'It is called again, less and less often; its events wait for it in order.',
    remedy: 'Tell its owner. GET webhook-endpoints/{id}/deliveries says how it answers.',
  },
  WATCHDOG_BLIND: {
    severity: 'WARNING',
    afterSeconds: 60,
    says: (subject) => `The watchdog cannot look at "${subject}".`,
    next: 'It looks again every ten seconds. Incidents of this kind neither begin nor end meanwhile.',
    remedy: 'The log of the API says why ("a look of the watchdog failed").',
  },
} as const satisfies Readonly<Record<string, IncidentKindText>>;

export type IncidentKind = keyof typeof INCIDENT_KINDS;
export const INCIDENT_KIND_NAMES = Object.keys(INCIDENT_KINDS) as readonly IncidentKind[];
/** Whether this version knows it. */
export const isIncidentKind = (name: string): name is IncidentKind => Object.hasOwn(INCIDENT_KINDS, name);

/** Of what operations need not hear: it has an alert of its own. */
export const KINDS_FOR_FINANCE: readonly IncidentKind[] = INCIDENT_KIND_NAMES.filter(
  (kind) => 'toldTo' in INCIDENT_KINDS[kind],
);

/** `MONEY` is for FINANCE too; none of them holds a name or an amount. */
export type IncidentArea = 'ENGINE' | 'MONEY';
