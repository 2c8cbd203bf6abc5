import type { Db } from '../../db/client.ts';
import type { Channel } from '../../db/schema.ts';
import { canonicalEmail } from '../../kernel/email.ts';
import { messageOf } from '../../kernel/errors.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import type { Logger } from '../../kernel/log.ts';
import { canonicalPhone } from '../../kernel/phone.ts';
import { raiseSystemAlert } from '../notifications/alerts.ts';
import type { Messenger, OutgoingMessage, SendOutcome } from '../ports.ts';
import type { RowFailure } from '../sweeps/failures.ts';
import { byHalves } from '../sweeps/isolate.ts';
import { heldForAccess } from './access-told.ts';
import { askingText, isAsked } from './asking.ts';
import { type Conditions, heldBack, IN_DIGEST } from './delivery-conditions.ts';
import { type Facts, valuesOf } from './delivery-facts.ts';
import { claim, digest, handBack, type Known, loadKnown, noteFailures, record } from './delivery-isolated.ts';
import {
  type ClaimedNotification,
  MAX_ATTEMPTS,
  ownedProviderIds,
  type SentContent,
  settled,
  type Verdict,
} from './delivery-rows.ts';
import { DIGEST } from './digest.ts';
import { fallBack } from './fallback.ts';
import { renderMessage } from './render.ts';
import { MAX_SEGMENTS, segmentsOf } from './segments.ts';
import { templateOf } from './templates.ts';
import { isForeign, textToSend } from './texts.ts';

export interface DeliveryDeps {
  readonly db: Db;
  /** May be the same adapter twice; then both channels travel in one call. */
  readonly messengers: Readonly<Record<Channel, Messenger>>;
  /** Where System Alerts go. */
  readonly opsEmail: string;
  /** Of the API, as people reach it, for links in mails. */
  readonly publicUrl: string;
  readonly log: Logger;
}

export const MAX_CLAIM = 100;

/**
 * Sends what is due, at most `limit` messages, and returns how many it took; zero means that nothing is due. Delivery
 * never touches a saga (T10). Safe to run at once in any number of workers: a row is claimed under a lease, and an
 * outcome counts only for the attempt that holds it. After a crash between a send and its record the message is sent
 * again under the same Message-ID.
 */
export async function deliverDue(deps: DeliveryDeps, options: { readonly limit?: number } = {}): Promise<number> {
  const { EMAIL, SMS } = deps.messengers;
  const limit = Math.min(options.limit ?? MAX_CLAIM, MAX_CLAIM, EMAIL.maxBatch, SMS.maxBatch);
  const claimed = await claim(deps.db, limit);
  if (claimed.length === 0) return 0;
  const verdicts = new Map<ClaimedNotification, Verdict>();
  try {
    await deliver(deps, claimed, verdicts);
  } catch (error) {
    // The database went away, or busy: no message's fault. What was sent keeps its lease, so that it is not sent twice at once.
    const unsent = claimed.filter((row) => verdicts.get(row)?.status !== 'SENT');
    await handBack(deps.db, unsent).catch(() => undefined);
    throw error;
  }
  return claimed.length;
}

async function deliver(
  deps: DeliveryDeps,
  claimed: readonly ClaimedNotification[],
  verdicts: Map<ClaimedNotification, Verdict>,
): Promise<void> {
  const { db } = deps;
  const known = await loadKnown(db, claimed);
  const unread = new Set(known.failures.map(({ id }) => id));
  const failures = [...known.failures];
  const outgoing = new Map<Messenger, Prepared[]>();
  for (const row of claimed) {
    const prepared = unread.has(row.id) ? NOT_READ : prepareSafely(row, known, deps, failures);
    if ('status' in prepared) {
      verdicts.set(row, prepared);
      continue;
    }
    const messenger = deps.messengers[row.channel];
    const batch = outgoing.get(messenger);
    if (batch) batch.push(prepared);
    else outgoing.set(messenger, [prepared]);
  }

  await send(deps, outgoing, verdicts);
  const toDigest = [...verdicts].filter(
    ([, { status, ...rest }]) => status === 'SKIPPED' && 'reason' in rest && rest.reason === IN_DIGEST,
  );
  const undigested = await digest(
    db,
    toDigest.map(([{ id }]) => id),
  );
  for (const [row] of toDigest) if (undigested.some(({ id }) => id === row.id)) verdicts.set(row, NOT_DIGESTED);

  const results = [...verdicts].map(([row, verdict]) => ({ ...row, verdict }));
  const { recorded, failures: unrecorded } = await record(db, results);
  const thrown = [...failures, ...undigested, ...unrecorded];
  // Of what has thrown, the sweep's own alert tells: two about one message are one too many.
  const untold = await byHalves(
    results.filter((row) => !thrown.some(({ id }) => id === row.id)),
    (some) => tellUnsent(db, some),
  );
  await tellChannelsDown(db, results);
  const failed = results.filter(({ verdict }) => verdict.status === 'FAILED' || verdict.status === 'RETRY');
  const stuck = await byHalves(
    failed.map(({ id }) => id),
    async (some) => {
      await fallBack(db, some);
    },
  );
  await noteFailures(db, results, [
    ...thrown,
    ...untold.map(({ item, error }) => ({ id: item.id, error })),
    ...stuck.map(({ item, error }) => ({ id: item, error })),
  ]);
  report(deps, results, recorded);
}

/** What could not even be read about a message waits for a person, with the reason in `sweep_failure`. */
const NOT_READ: Verdict = { status: 'BLOCKED', reason: 'FACTS_FAILED' };
const NOT_DIGESTED: Verdict = { status: 'BLOCKED', reason: 'DIGEST_FAILED' };

async function send(
  deps: DeliveryDeps,
  outgoing: ReadonlyMap<Messenger, readonly Prepared[]>,
  verdicts: Map<ClaimedNotification, Verdict>,
): Promise<void> {
  const taken = new Set<string>();
  await Promise.all(
    [...outgoing].map(async ([messenger, batch]) => {
      const { fresh, doubtful } = partition(messenger, batch);
      const outcomes = fresh.length === 0 ? [] : await attemptSend(deps, messenger, fresh);
      for (const [index, { row, rendered }] of fresh.entries()) {
        verdicts.set(row, verdictOf(await settledBy(deps.db, outcomes[index], taken), rendered));
      }
      for (const { row, message, rendered, since } of doubtful) {
        const candidates = (await messenger.find?.(message, since).catch(() => [])) ?? [];
        verdicts.set(row, verdictOf(await settledBy(deps.db, { ...UNKNOWN, candidates }, taken), rendered));
      }
    }),
  );
}

const UNKNOWN = { sent: false, unknown: true, reason: 'SMS_OUTCOME_UNKNOWN' } as const;

/** The same words may have gone to the same number before, for another row: what that one was is not this one. */
async function settledBy(
  db: Db,
  outcome: SendOutcome | undefined,
  taken: Set<string>,
): Promise<SendOutcome | undefined> {
  if (!outcome || !('candidates' in outcome) || !outcome.candidates || outcome.candidates.length === 0) return outcome;
  const owned = await ownedProviderIds(db, outcome.candidates);
  const providerId = outcome.candidates.find((id) => !owned.has(id) && !taken.has(id));
  if (providerId === undefined) return outcome;
  taken.add(providerId);
  return { sent: true, providerId };
}

/** Where a repeat costs money, what a dead worker had begun with is looked up, and not sent again. */
function partition(messenger: Messenger, batch: readonly Prepared[]) {
  const isDoubtful = ({ row }: Prepared): boolean => messenger.repeats === 'COST' && row.isTakenOver;
  return { fresh: batch.filter((entry) => !isDoubtful(entry)), doubtful: batch.filter(isDoubtful) };
}

interface Prepared {
  /** Since when it may have been sent. */
  readonly since: Date;
  readonly row: ClaimedNotification;
  readonly message: OutgoingMessage;
  readonly rendered: SentContent;
}
/** Such as a zone that this system does not know: only this message waits for a person. */
function prepareSafely(
  row: ClaimedNotification,
  known: Known,
  deps: DeliveryDeps,
  failures: RowFailure[],
): Prepared | Verdict {
  try {
    return prepare(row, known, deps);
  } catch (error) {
    deps.log.error({ err: error, notificationId: row.id }, 'a message could not be rendered');
    failures.push({ id: row.id, error });
    return { status: 'BLOCKED', reason: 'RENDER_FAILED' };
  }
}

/** The message to send, or why it is not sent. */
function prepare(row: ClaimedNotification, known: Known, deps: DeliveryDeps): Prepared | Verdict {
  const facts = known.facts.get(row.id);
  const conditions = known.conditions.get(row.id);
  const { texts } = known;
  // Only a crash in every attempt gets here: this row may be what kills the process.
  if (row.attempts - row.waits > MAX_ATTEMPTS) return { status: 'FAILED', reason: 'LEASE_EXPIRED' };
  const template = templateOf(row.template);
  // Perhaps of a newer build that is being rolled out.
  if (!template || !facts || !conditions) return { status: 'RETRY', reason: 'UNKNOWN_TEMPLATE' };

  const { validWhile } = template;
  if (validWhile && (facts.reservationStatus === null || !validWhile.includes(facts.reservationStatus))) {
    return { status: 'SKIPPED', reason: 'STALE' };
  }
  if (template.event === 'TASK_ASSIGNED' && facts.taskStatus !== null && !stillAssigned(facts, row.recipientId)) {
    return { status: 'SKIPPED', reason: 'STALE' };
  }
  if (template.event === 'TASK_CHANGED') {
    const known = newTimeKnown(facts, conditions);
    if (known) return known;
  }
  // The owner has answered meanwhile, by telephone perhaps, or has sold the property.
  if (row.template === 'repair-approval.owner@1' && (facts.approval !== 'PENDING' || facts.approvalToken === null))
    return { status: 'SKIPPED', reason: 'STALE' };
  // Whatever was to be in it has been said otherwise.
  if (row.template === DIGEST && facts.doneTasks === null) return { status: 'SKIPPED', reason: 'STALE' };
  const held = heldBack(conditions);
  if (held) return held;
  const address = row.recipientType === 'OPS' ? deps.opsEmail : row.channel === 'SMS' ? facts.phone : facts.email;
  if (!address) return { status: 'SKIPPED', reason: 'NO_ADDRESS' };
  const to = row.channel === 'SMS' ? canonicalPhone(address) : (canonicalEmail(address) ?? address);
  if (to === null) return { status: 'FAILED', reason: 'INVALID_PHONE' };

  const text = textToSend(askingText(row.template, facts), facts.locale, texts);
  if (!text) return { status: 'RETRY', reason: 'UNKNOWN_TEMPLATE' };
  if (facts.requireTranslation === true && isForeign(text, facts.locale)) {
    return { status: 'BLOCKED', reason: `MISSING_TRANSLATION ${facts.locale}` };
  }
  const behind = heldForAccess(text, row.recipientType, facts, conditions.now);
  if (behind) return behind;
  // One that has waited, for a worker perhaps, offers nothing that is over by now.
  const atSending = { ...facts, dueAt: conditions.now };
  const rendered = renderMessage(text, row.channel, valuesOf(atSending, text.locale, deps.publicUrl));
  if ('missing' in rendered) return withoutValues(rendered.missing, facts.orderedAt, conditions.now);
  if (row.channel === 'SMS' && segmentsOf(rendered.text).segments > MAX_SEGMENTS) {
    return { status: 'BLOCKED', reason: 'SMS_TOO_LONG' };
  }
  return {
    row,
    since: facts.dueAt,
    message: { messageId: `<${row.effectKey}@roomy>`, channel: row.channel, to, ...rendered },
    rendered: {
      locale: text.locale,
      wantedLocale: facts.locale,
      version: text.version,
      subject: rendered.subject,
      toldStart: TELLS_START.has(template.event) ? (facts.taskStartAt?.toISOString() ?? null) : null,
      body: withoutSecrets(rendered.text, [facts.accessCode, facts.approvalToken, facts.offerToken]),
      hash: sha256OfBytes(Buffer.from(rendered.html ?? rendered.text)).toString('hex'),
    },
  };
}

/**
 * A new time that somebody knows by now is not told: another message says it, or it is again what they were told. Who is
 * asked anew whether they take the task is, and so is who asked for the message once more. Null: it may go.
 */
function newTimeKnown(facts: Facts, { resendOf, inBulk, now }: Conditions): Verdict | null {
  if (resendOf !== null && !inBulk) return null;
  if (facts.isToldOtherwise) return { status: 'SKIPPED', reason: 'STALE' };
  if (facts.isBeingTold)
    return { status: 'WAIT', until: new Date(now.getTime() + TOLD_WITHIN_MS), reason: 'BEING_TOLD' };
  const isSame = facts.toldStart !== null && facts.toldStart === facts.taskStartAt?.toISOString();
  return isSame && !isAsked(facts) ? { status: 'SKIPPED', reason: 'STALE' } : null;
}
const TOLD_WITHIN_MS = 5_000;

/** Whoever is told later that a task is not theirs any more is reminded of the time that they knew. */
const TELLS_START: ReadonlySet<string> = new Set(['TASK_ASSIGNED', 'TASK_CHANGED']);

/** What comes late is waited for; after that nothing goes out with a blank in it. */
const LATE_VALUES: ReadonlySet<string> = new Set(['accessCode']);
const MAX_WAIT_MS = 15 * 60_000;
const LOOK_AGAIN_MS = 60_000;
function withoutValues(missing: readonly string[], orderedAt: Date, now: Date): Verdict {
  const mayCome = missing.every((name) => LATE_VALUES.has(name));
  if (mayCome && now.getTime() - orderedAt.getTime() < MAX_WAIT_MS) {
    return {
      status: 'WAIT',
      until: new Date(now.getTime() + LOOK_AGAIN_MS),
      reason: `WAITING_FOR ${missing.join(', ')}`,
    };
  }
  return { status: 'BLOCKED', reason: `MISSING ${missing.join(', ')}` };
}

const withoutSecrets = (body: string, secrets: readonly (string | null)[]): string =>
  secrets.reduce<string>(
    (text, secret) => (secret === null || secret === '' ? text : text.replaceAll(secret, '••••')),
    body,
  );

const stillAssigned = (facts: Facts, recipientId: string): boolean =>
  facts.taskAssigneeId === recipientId && (facts.taskStatus === 'ASSIGNED' || facts.taskStatus === 'IN_PROGRESS');

async function attemptSend(
  deps: DeliveryDeps,
  messenger: Messenger,
  batch: readonly Pick<Prepared, 'message'>[],
): Promise<readonly SendOutcome[]> {
  try {
    return await messenger.send(batch.map(({ message }) => message));
  } catch (error) {
    deps.log.warn({ reason: messageOf(error), messages: batch.length }, 'a batch of messages was not sent');
    return [];
  }
}

function verdictOf(outcome: SendOutcome | undefined, rendered: SentContent): Verdict {
  if (!outcome) return { status: 'RETRY', reason: 'SEND_FAILED' };
  if (outcome.sent) return { status: 'SENT', providerId: outcome.providerId, rendered };
  if ('waitUntil' in outcome) return { status: 'WAIT', until: outcome.waitUntil, reason: outcome.reason };
  if ('unknown' in outcome) return { status: 'BLOCKED', reason: outcome.reason };
  return { status: outcome.permanent ? 'FAILED' : 'RETRY', reason: outcome.reason };
}

/** Somebody must see to what is not sent; of each kind there is one alert an hour, and none about an alert. */
async function tellUnsent(
  db: Db,
  results: readonly (Pick<ClaimedNotification, 'id' | 'template' | 'recipientType' | 'attempts' | 'waits'> & {
    readonly verdict: Verdict;
  })[],
): Promise<void> {
  for (const { id, template, recipientType, attempts, waits, verdict } of results) {
    if (recipientType === 'OPS' || verdict.status === 'SENT') continue;
    const status = settled(verdict, attempts - waits);
    if (status !== 'BLOCKED' && status !== 'FAILED') continue;
    const params = { sagaName: 'notifications', step: template, code: verdict.reason, sagaId: id };
    // What is wrong with a text is wrong with that text; an address or a provider is not.
    const group = status === 'BLOCKED' ? `blocked-${template}` : 'failed';
    await raiseSystemAlert(db, `${group}-${verdict.reason}`, params);
  }
}

/** One alert an hour and channel; it goes out when the channel is back, or over another. */
async function tellChannelsDown(
  db: Db,
  results: readonly { readonly id: string; readonly channel: Channel; readonly verdict: Verdict }[],
): Promise<void> {
  const down = results.filter(({ verdict }) => verdict.status === 'WAIT' && verdict.reason === 'CIRCUIT_OPEN');
  for (const channel of new Set(down.map((result) => result.channel))) {
    const params = { sagaName: 'notifications', step: channel, code: 'CIRCUIT_OPEN', sagaId: channel };
    await raiseSystemAlert(db, `circuit-${channel}`, params);
  }
}

function report(deps: DeliveryDeps, results: readonly { id: string; verdict: Verdict }[], recorded: number): void {
  const counts: Record<string, number> = {};
  for (const { id, verdict } of results) {
    counts[verdict.status] = (counts[verdict.status] ?? 0) + 1;
    if (verdict.status === 'BLOCKED' || verdict.status === 'FAILED') {
      deps.log.error({ notificationId: id, status: verdict.status, reason: verdict.reason }, 'a message is not sent');
    }
  }
  deps.log.info({ messages: results.length, fenced: results.length - recorded, counts }, 'messages delivered');
}
