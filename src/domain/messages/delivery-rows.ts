import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { batchLimit, literal } from '../../db/literal.ts';
import type { Channel, RecipientType } from '../../db/schema.ts';
import { sealEach, subjectOf } from '../../db/sealed-fields.ts';
import { claimRows, settleRows } from '../notifications/store/deliver.ts';
import { mayMove } from '../notifications/store/states.ts';
import { isNotSetAside, wasSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope } from '../sweeps/isolate.ts';

/** The `notification` table as a durable queue: claim under a lease, record under a fence. */

export interface ClaimedNotification {
  readonly id: string;
  readonly effectKey: string;
  readonly event: string;
  readonly template: string;
  readonly channel: Channel;
  readonly recipientType: RecipientType;
  readonly recipientId: string;
  /** Fencing token: only the attempt that a row still names may record its outcome. */
  readonly attempts: number;
  /** How many of the attempts were only put off. */
  readonly waits: number;
  /** Somebody had begun with it and has died: it was perhaps sent. */
  readonly isTakenOver: boolean;
  /** It stands in `sweep_failure`. */
  readonly wasSetAside: boolean;
}

export const MAX_ATTEMPTS = 6;
const LEASE_SECONDS = 30;
/** 30 s, 2 min, 8 min, 32 min, 2 h: an outage of an afternoon is survived. Jitter keeps a backlog from returning at once. */
const FIRST_BACKOFF_SECONDS = 30;
const BACKOFF_FACTOR = 4;

/** A row that was being sent when so many of its workers died is claimed alone from then on: it may be what kills them. */
const SUSPECT_AFTER = 2;

/**
 * Which rows a claim may take: `together` all but suspects, so that none of them costs its neighbours their attempts;
 * `alone` one suspect at a time.
 */
export type ClaimMode = 'together' | 'alone';

export const isMessageDue = sql<boolean>`${mayMove('claim', 'q')} AND q.due_at <= now() AND (q.status = 'QUEUED' OR q.lease_until <= now())
  AND ${isNotSetAside('messages', sql`q.id`)}`;

/** SQL: whether a claim of either mode would find anything. */
export const messagesDue = sql<boolean>`EXISTS (
  SELECT FROM notification_due d JOIN notification q ON q.id = d.notification_id WHERE d.due_at <= now() AND ${isMessageDue})`;

const dueRows = (db: Db, mode: ClaimMode, scope: Scope) =>
  db
    .selectFrom('notification_due as d')
    .innerJoin('notification as q', 'q.id', 'd.notification_id')
    .select(['q.id', 'q.status'])
    .where('d.due_at', '<=', sql<Date>`now()`)
    // Of the row itself, which is looked at again when it was locked: it may have been put off meanwhile.
    .where(isMessageDue)
    .where(
      mode === 'together'
        ? sql<boolean>`(q.status = 'QUEUED' OR q.attempts - q.waits < ${literal(SUSPECT_AFTER)})`
        : sql<boolean>`q.status = 'SENDING'`,
    )
    .where(inScope(scope, sql`q.id`))
    .orderBy('d.due_at')
    .limit(batchLimit(scope.limit));

/** The ids of what `claimDue` would take. */
export async function dueIds(db: Db, mode: ClaimMode, limit: number): Promise<readonly string[]> {
  return (await dueRows(db, mode, { limit, ids: null }).execute()).map(({ id }) => id);
}

/** Takes what is due, and what another worker took and did not finish within its lease. */
export async function claimDue(db: Db, mode: ClaimMode, scope: Scope): Promise<readonly ClaimedNotification[]> {
  const due = dueRows(db, mode, scope).forUpdate('q').skipLocked();
  return await claimRows(db, due, { leaseSeconds: LEASE_SECONDS, marked: wasSetAside('messages', sql`n.id`) });
}

/** The content of a message as it was sent, and the text that it was made from. */
export interface SentContent {
  readonly locale: string;
  /** The language of the recipient; null: not known. */
  readonly wantedLocale: string | null;
  readonly version: number;
  readonly subject: string | null;
  /** Plain text, without what opens doors. */
  readonly body: string;
  /** Of a task: the start that the recipient read, an ISO instant. */
  readonly toldStart: string | null;
  /** SHA-256 of what was really sent, in hex. */
  readonly hash: string;
}

export type Verdict =
  | { readonly status: 'SENT'; readonly providerId: string; readonly rendered: SentContent }
  | { readonly status: 'SKIPPED' | 'BLOCKED' | 'FAILED'; readonly reason: string }
  /** Try again later; FAILED once the attempts are used up. */
  | { readonly status: 'RETRY'; readonly reason: string }
  /** It may not go before `until`: no attempt is used up. */
  | { readonly status: 'WAIT'; readonly until: Date; readonly reason: string };

type Outcome = Pick<ClaimedNotification, 'id' | 'attempts' | 'waits' | 'recipientType' | 'recipientId'> & {
  readonly verdict: Verdict;
};

/** Subject and body of each message that was sent, sealed by its recipient's key, by the message's id. */
async function sealContents(
  db: Db,
  verdicts: readonly Outcome[],
): Promise<ReadonlyMap<string, Pick<SentContent, 'subject' | 'body'>>> {
  const said = verdicts.flatMap(({ id: row, recipientType, recipientId, verdict }) =>
    verdict.status === 'SENT'
      ? [
          {
            row,
            whose: subjectOf(recipientType, recipientId),
            subject: verdict.rendered.subject,
            body: verdict.rendered.body,
          },
        ]
      : [],
  );
  const bodies = said.map(({ row, whose, body }) => ({ row, subject: whose, text: body }));
  const subjects = said.flatMap(({ row, whose, subject }) =>
    subject === null ? [] : [{ row, subject: whose, text: subject }],
  );
  const sealedBodies = await sealEach(db, 'notification_content.body', bodies);
  const sealedSubjects = await sealEach(db, 'notification_content.subject', subjects);
  const subjectsByRow = new Map(subjects.map(({ row }, index) => [row, sealedSubjects[index] ?? null]));
  return new Map(
    bodies.map(({ row }, index) => [row, { subject: subjectsByRow.get(row) ?? null, body: sealedBodies[index] ?? '' }]),
  );
}

/**
 * Writes the outcomes of a claimed batch in one statement. Returns how many counted; the rest had been claimed by
 * another worker meanwhile, whose outcome counts instead.
 */
export async function recordVerdicts(db: Db, verdicts: readonly Outcome[]): Promise<number> {
  const contents = await sealContents(db, verdicts);
  const rows = verdicts.map(({ id, attempts, waits, verdict }) => ({
    id,
    attempts,
    status: settled(verdict, attempts - waits),
    reason: verdict.status === 'SENT' ? null : verdict.reason,
    provider_id: verdict.status === 'SENT' ? verdict.providerId : null,
    until: verdict.status === 'WAIT' ? verdict.until : null,
    ...(verdict.status === 'SENT' && { ...verdict.rendered, ...contents.get(id) }),
  }));
  return await settleRows(db, rows, {
    firstBackoffSeconds: FIRST_BACKOFF_SECONDS,
    backoffFactor: BACKOFF_FACTOR,
  });
}

/** The status that a verdict leads to; `attempts` without those that were only put off. */
export function settled(verdict: Verdict, attempts: number): 'SENT' | 'SKIPPED' | 'BLOCKED' | 'FAILED' | 'QUEUED' {
  if (verdict.status === 'WAIT') return 'QUEUED';
  if (verdict.status !== 'RETRY') return verdict.status;
  return attempts >= MAX_ATTEMPTS ? 'FAILED' : 'QUEUED';
}

/** Which of a provider's ids are known to be messages of ours. */
export async function ownedProviderIds(db: Db, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('notification')
    .select('provider_id')
    .where('sms_id', '=', sql<string>`ANY(${ids})`)
    .execute();
  return new Set(rows.flatMap(({ provider_id }) => provider_id ?? []));
}
