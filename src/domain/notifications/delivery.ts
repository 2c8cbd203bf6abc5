import type { Db } from '../../db/client.ts';
import type { Channel } from '../../db/schema.ts';
import { messageOf } from '../../kernel/errors.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import type { Logger } from '../../kernel/log.ts';
import { canonicalPhone } from '../../kernel/phone.ts';
import type { Messenger, OutgoingMessage, SendOutcome } from '../ports.ts';
import { raiseSystemAlert } from './alerts.ts';
import { type Conditions, heldBack, IN_DIGEST, loadConditions } from './delivery-conditions.ts';
import { type Facts, loadFacts, valuesOf } from './delivery-facts.ts';
import {
  type ClaimedNotification,
  claimDue,
  MAX_ATTEMPTS,
  ownedProviderIds,
  recordVerdicts,
  type SentContent,
  settled,
  type Verdict,
} from './delivery-rows.ts';
import { DIGEST, putIntoDigests } from './digest.ts';
import { fallBack } from './fallback.ts';
import { renderMessage } from './render.ts';
import { MAX_SEGMENTS, segmentsOf } from './segments.ts';
import { templateOf } from './templates.ts';
import { isForeign, loadSavedTexts, type SavedTexts, textFor } from './texts.ts';

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
  const claimed = await claimDue(deps.db, limit);
  if (claimed.length === 0) return 0;

  const ids = claimed.map(({ id }) => id);
  const [factRows, conditionRows, texts] = await Promise.all([
    loadFacts(deps.db, ids),
    loadConditions(deps.db, ids),
    loadSavedTexts(
      deps.db,
      claimed.map(({ template }) => template),
    ),
  ]);
  const facts = new Map(factRows.map((row) => [row.id, row]));
  const conditions = new Map(conditionRows.map((row) => [row.id, row]));
  const verdicts = new Map<ClaimedNotification, Verdict>();
  const outgoing = new Map<Messenger, Prepared[]>();
  for (const row of claimed) {
    const prepared = prepare(row, { facts: facts.get(row.id), conditions: conditions.get(row.id), texts }, deps);
    if ('status' in prepared) {
      verdicts.set(row, prepared);
      continue;
    }
    const messenger = deps.messengers[row.channel];
    const entry = prepared;
    const batch = outgoing.get(messenger);
    if (batch) batch.push(entry);
    else outgoing.set(messenger, [entry]);
  }

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

  await putIntoDigests(
    deps.db,
    [...verdicts].flatMap(([{ id }, verdict]) =>
      verdict.status === 'SKIPPED' && verdict.reason === IN_DIGEST ? [id] : [],
    ),
  );
  const results = [...verdicts].map(([row, verdict]) => ({ ...row, verdict }));
  const recorded = await recordVerdicts(deps.db, results);
  await tellUnsent(deps.db, results);
  await tellChannelsDown(deps.db, results);
  await fallBack(
    deps.db,
    results.filter(({ verdict }) => verdict.status === 'FAILED' || verdict.status === 'RETRY').map(({ id }) => id),
  );
  report(deps, results, recorded);
  return claimed.length;
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
interface Known {
  readonly facts: Facts | undefined;
  readonly conditions: Conditions | undefined;
  readonly texts: SavedTexts;
}

/** The message to send, or why it is not sent. */
function prepare(
  row: ClaimedNotification,
  { facts, conditions, texts }: Known,
  deps: DeliveryDeps,
): Prepared | Verdict {
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
  // The owner has answered meanwhile, by telephone perhaps, or has sold the property.
  if (row.template === 'repair-approval.owner@1' && (facts.approval !== 'PENDING' || facts.approvalToken === null))
    return { status: 'SKIPPED', reason: 'STALE' };
  // Whatever was to be in it has been said otherwise.
  if (row.template === DIGEST && facts.doneTasks === null) return { status: 'SKIPPED', reason: 'STALE' };
  const held = heldBack(conditions);
  if (held) return held;
  const address = row.recipientType === 'OPS' ? deps.opsEmail : row.channel === 'SMS' ? facts.phone : facts.email;
  if (!address) return { status: 'SKIPPED', reason: 'NO_ADDRESS' };
  const to = row.channel === 'SMS' ? canonicalPhone(address) : address;
  if (to === null) return { status: 'FAILED', reason: 'INVALID_PHONE' };

  try {
    const text = textFor(row.template, facts.locale, texts);
    if (!text) return { status: 'RETRY', reason: 'UNKNOWN_TEMPLATE' };
    if (facts.requireTranslation === true && isForeign(text, facts.locale)) {
      return { status: 'BLOCKED', reason: `MISSING_TRANSLATION ${facts.locale}` };
    }
    const rendered = renderMessage(text, row.channel, valuesOf(facts, text.locale, deps.publicUrl));
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
        body: withoutSecrets(rendered.text, [facts.accessCode, facts.approvalToken]),
        hash: sha256OfBytes(Buffer.from(rendered.html ?? rendered.text)).toString('hex'),
      },
    };
  } catch (error) {
    // Such as a zone that this system does not know: only this message waits for a person.
    deps.log.error({ err: error, notificationId: row.id }, 'a message could not be rendered');
    return { status: 'BLOCKED', reason: 'RENDER_FAILED' };
  }
}

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
