import type { Db } from '../../db/client.ts';
import type { Channel } from '../../db/schema.ts';
import { canonicalEmail } from '../../kernel/email.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import type { Logger } from '../../kernel/log.ts';
import type { MessageCaps } from '../../kernel/message-caps.ts';
import { canonicalPhone } from '../../kernel/phone.ts';
import type { TextSeal } from '../../kernel/text-seal.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import type { Messenger, OutgoingMessage, SendOutcome } from '../ports.ts';
import type { RowFailure } from '../sweeps/failures.ts';
import { byHalves } from '../sweeps/isolate.ts';
import { heldForAccess } from './access-hold.ts';
import { withOpenedLink } from './account-link.ts';
import { attemptSend } from './attempt-send.ts';
import { messageOf as catalogued } from './catalogue/index.ts';
import { createDay, DAILY_LIMIT } from './daily-caps.ts';
import { heldBack, IN_DIGEST, untrue } from './delivery-conditions.ts';
import { valuesOf } from './delivery-facts.ts';
import { claim, digest, handBack, type Known, loadKnown, noteFailures, record } from './delivery-isolated.ts';
import {
  type ClaimedNotification,
  MAX_ATTEMPTS,
  ownedProviderIds,
  type SentContent,
  settled,
  type Verdict,
} from './delivery-rows.ts';
import { fallBack } from './fallback.ts';
import { type LinkMaker, withLinks } from './links.ts';
import { offerText } from './offer-texts.ts';
import { renderMessage, variablesOf } from './render.ts';
import { NOT_SEALABLE, takeUnsealable } from './sealable.ts';
import { MAX_SEGMENTS, segmentsOf } from './segments.ts';
import { templateOf } from './templates.ts';
import { isForeign, textToSend } from './texts.ts';
import { LATE_VARIABLES } from './variables/access.ts';
import { withoutSecrets } from './without-secrets.ts';

export interface DeliveryDeps {
  readonly db: Db;
  /** May be the same adapter twice; then both channels travel in one call. */
  readonly messengers: Readonly<Record<Channel, Messenger>>;
  /** Where System Alerts go. */
  readonly opsEmail: string;
  /** Of the API, as people reach it, for links in mails. */
  readonly publicUrl: string;
  /** IANA; of moments in messages that are about no property. */
  readonly agencyTimeZone: string;
  /** Opens the links of sign-ins, which lie sealed in their rows. */
  readonly secrets: TextSeal;
  /** Makes the links of guests to their stays. */
  readonly links: LinkMaker;
  /** How many messages one recipient gets a day; absent: any number. */
  readonly caps?: MessageCaps;
  readonly log: Logger;
}

export const MAX_CLAIM = 100;

/**
 * Sends what is due, at most `limit` messages, and returns how many it took; zero means that nothing is due. Delivery
 * never touches a saga (domain.md T10). Safe to run at once in any number of workers: a row is claimed under a lease, and an
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
    // The database went away, or busy: no message's fault. Sent messages keep their lease, so that they are not sent twice at once.
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
  const known = await loadKnown(db, claimed, deps.caps);
  const day = createDay(deps.caps, known.taken);
  const unread = new Set(known.failures.map(({ id }) => id));
  const failures = [...known.failures];
  const outgoing = new Map<Messenger, Prepared[]>();
  for (const row of claimed) {
    const readied = unread.has(row.id) ? NOT_READ : prepareSafely(row, known, deps, failures);
    const prepared = 'status' in readied ? readied : (day.refusal(row) ?? readied);
    if ('status' in prepared) {
      verdicts.set(row, prepared);
      continue;
    }
    const messenger = deps.messengers[row.channel];
    const batch = outgoing.get(messenger);
    if (batch) batch.push(prepared);
    else outgoing.set(messenger, [prepared]);
  }

  const unsealable = await takeUnsealable(db, outgoing);
  for (const { row } of unsealable) verdicts.set(row, NOT_SEALABLE);
  failures.push(...unsealable.map(({ row: { id }, error }) => ({ id, error })));
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
  // Rows that have thrown get the sweep's own alert: two about one message are one too many.
  const unalerted = await byHalves(
    results.filter((row) => !thrown.some(({ id }) => id === row.id)),
    (some) => alertUnsent(db, some),
  );
  await alertChannelsDown(db, results);
  const failed = results.filter(({ verdict }) => verdict.status === 'FAILED' || verdict.status === 'RETRY');
  const stuck = await byHalves(
    failed.map(({ id }) => id),
    async (some) => {
      await fallBack(db, some);
    },
  );
  await noteFailures(db, results, [
    ...thrown,
    ...unalerted.map(({ item, error }) => ({ id: item.id, error })),
    ...stuck.map(({ item, error }) => ({ id: item, error })),
  ]);
  report(deps, results, recorded);
}

/** A message whose facts could not even be read waits for a person, with the reason in `sweep_failure`. */
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

/** The same text may have gone to the same number before, for another row: its outcome is not that of this one. */
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
function prepare(row: ClaimedNotification, read: Known, deps: DeliveryDeps): Prepared | Verdict {
  const facts = withLinks(withOpenedLink(read.facts.get(row.id), deps.secrets), deps.links);
  const conditions = read.conditions.get(row.id);
  // Only a crash in every attempt gets here: this row may be what kills the process.
  if (row.attempts - row.waits > MAX_ATTEMPTS) return { status: 'FAILED', reason: 'LEASE_EXPIRED' };
  const template = templateOf(row.template);
  // Perhaps of a newer build that is being rolled out.
  if (!template || !facts || !conditions) return { status: 'RETRY', reason: 'UNKNOWN_TEMPLATE' };

  const known = { facts, conditions, template: row.template, recipientId: row.recipientId };
  const held = untrue(known) ?? heldBack(known);
  if (held) return held;
  // Of a sign-in the account's own: that of its record may be another, and is not the one that was invited.
  const own = row.channel === 'SMS' ? facts.phone : facts.email;
  const address = facts.accountEmail ?? (row.recipientType === 'OPS' ? deps.opsEmail : own);
  if (!address) return { status: 'SKIPPED', reason: 'NO_ADDRESS' };
  const to = row.channel === 'SMS' ? canonicalPhone(address) : (canonicalEmail(address) ?? address);
  if (to === null) return { status: 'FAILED', reason: 'INVALID_PHONE' };

  const text = textToSend(offerText(row.template, facts), facts.locale, read.texts);
  if (!text) return { status: 'RETRY', reason: 'UNKNOWN_TEMPLATE' };
  if (facts.requireTranslation === true && isForeign(text, facts.locale)) {
    return { status: 'BLOCKED', reason: `MISSING_TRANSLATION ${facts.locale}` };
  }
  const behind = heldForAccess(text, row.recipientType, facts, conditions.now);
  if (behind) return behind;
  // One that has waited, for a worker perhaps, offers nothing that is over by now.
  const atSending = { ...facts, timeZone: facts.timeZone ?? deps.agencyTimeZone, dueAt: conditions.now };
  const names = variablesOf([...text.subject, ...text.message]);
  const rendered = renderMessage(text, row.channel, valuesOf(atSending, text.locale, deps.publicUrl, names));
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
      toldStart: catalogued(template.event)?.namesStart ? (facts.taskStartAt?.toISOString() ?? null) : null,
      body: withoutSecrets(rendered.text, facts),
      hash: sha256OfBytes(Buffer.from(rendered.html ?? rendered.text)).toString('hex'),
    },
  };
}

/** Values that come late are waited for; after that nothing goes out with a blank in it. */
const MAX_WAIT_MS = 15 * 60_000;
const LOOK_AGAIN_MS = 60_000;
function withoutValues(missing: readonly string[], orderedAt: Date, now: Date): Verdict {
  const mayCome = missing.every((name) => LATE_VARIABLES.has(name));
  if (mayCome && now.getTime() - orderedAt.getTime() < MAX_WAIT_MS) {
    return {
      status: 'WAIT',
      until: new Date(now.getTime() + LOOK_AGAIN_MS),
      reason: `WAITING_FOR ${missing.join(', ')}`,
    };
  }
  return { status: 'BLOCKED', reason: `MISSING ${missing.join(', ')}` };
}

function verdictOf(outcome: SendOutcome | undefined, rendered: SentContent): Verdict {
  if (!outcome) return { status: 'RETRY', reason: 'SEND_FAILED' };
  if (outcome.sent) return { status: 'SENT', providerId: outcome.providerId, rendered };
  if ('waitUntil' in outcome) return { status: 'WAIT', until: outcome.waitUntil, reason: outcome.reason };
  if ('unknown' in outcome) return { status: 'BLOCKED', reason: outcome.reason };
  return { status: outcome.permanent ? 'FAILED' : 'RETRY', reason: outcome.reason };
}

/** Somebody must see to what is not sent; of each kind there is one alert an hour, and none about an alert. */
async function alertUnsent(
  db: Db,
  results: readonly (Pick<
    ClaimedNotification,
    'id' | 'template' | 'channel' | 'recipientType' | 'attempts' | 'waits'
  > & {
    readonly verdict: Verdict;
  })[],
): Promise<void> {
  for (const { id, template, channel, recipientType, attempts, waits, verdict } of results) {
    if (recipientType === 'OPS' || verdict.status === 'SENT') continue;
    const status = settled(verdict, attempts - waits);
    if (status !== 'BLOCKED' && status !== 'FAILED') continue;
    const alert = { about: 'message', id, source: 'notifications', step: template, code: verdict.reason } as const;
    // A wrong text concerns that text only; an address or a provider does not.
    const group = status === 'BLOCKED' ? `blocked-${template}` : 'failed';
    // Whatever was to be said: somebody is sent too much.
    const isTooMuch = verdict.reason === DAILY_LIMIT;
    await raiseAlert(db, { ...alert, group: isTooMuch ? `daily-limit-${channel}` : `${group}-${verdict.reason}` });
  }
}

/** One alert an hour and channel; it goes out when the channel is back, or over another. */
async function alertChannelsDown(
  db: Db,
  results: readonly { readonly id: string; readonly channel: Channel; readonly verdict: Verdict }[],
): Promise<void> {
  const down = results.filter(({ verdict }) => verdict.status === 'WAIT' && verdict.reason === 'CIRCUIT_OPEN');
  for (const channel of new Set(down.map((result) => result.channel))) {
    const alert = {
      about: 'channel',
      id: channel,
      source: 'notifications',
      step: channel,
      code: 'CIRCUIT_OPEN',
    } as const;
    await raiseAlert(db, { ...alert, group: `circuit-${channel}` });
  }
}

function report(deps: DeliveryDeps, results: readonly { id: string; verdict: Verdict }[], recorded: number): void {
  const counts: Record<string, number> = {};
  for (const { id, verdict } of results) {
    counts[verdict.status] = (counts[verdict.status] ?? 0) + 1;
    // What is too much for a day may be hundreds, about which there is one alert an hour.
    if ((verdict.status === 'BLOCKED' && verdict.reason !== DAILY_LIMIT) || verdict.status === 'FAILED') {
      deps.log.error({ notificationId: id, status: verdict.status, reason: verdict.reason }, 'a message is not sent');
    }
  }
  deps.log.info({ messages: results.length, fenced: results.length - recorded, counts }, 'messages delivered');
}
