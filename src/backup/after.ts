import { sql } from 'kysely';
import { type Db, fieldKeysOf, type Tx } from '../db/client.ts';
import { recordAudit } from '../domain/audit/record.ts';
import { verifyAudit } from '../domain/audit/resource.ts';
import { endAllTickets } from '../domain/events/stream-tickets.ts';
import { checkIntegrity } from '../domain/finance/integrity.ts';
import { withdrawAllOneTimes } from '../domain/people/one-time.ts';
import { endAllSessions } from '../domain/people/sessions.ts';
import type { Hold } from '../engine/state.ts';
import { openHolds, setHold } from '../engine/store/holds.ts';
import { required } from '../kernel/errors.ts';
import type { Header } from './format.ts';

/** What a restored database needs before anybody works with it. */

const RESTORE = { actor: 'system:restore', requestId: null };

/**
 * In the commit that makes the database. Every saga is paused: those that were open in the backup are past their deadlines by now, and
 * would be undone, with refunds and cancellations; a release gives them time anew. `payingOut`, whatever sends money out, is paused
 * apart, until a person has compared the books with the record of the bank and the gateways: money that went out after the backup is
 * owed again by these books, and would go out twice.
 */
export async function holdSagas(tx: Tx, payingOut: readonly string[], { takenAt, migrations }: Header): Promise<void> {
  const held = new Set((await openHolds(tx)).map(({ scope, subject }) => `${scope} ${subject}`));
  const reason = `Restored from the backup of ${takenAt}: compare the bank and the gateways with the books first`;
  const holds: readonly Hold[] = [
    { scope: 'ALL', subject: 'ALL' },
    ...payingOut.map((subject): Hold => ({ scope: 'NAME', subject })),
  ];
  for (const hold of holds)
    if (!held.has(`${hold.scope} ${hold.subject}`)) await setHold(tx, { ...hold, reason }, RESTORE);
  await recordAudit(tx, {
    streamId: 'backup:restored',
    event: 'BACKUP_RESTORED',
    ...RESTORE,
    body: { outcome: 'success', details: { takenAt, migration: migrations.at(-1)?.name ?? null } },
  });
}

/**
 * In the same commit: whoever was signed out after the backup was signed in when it was taken. So every session ends, and whatever opens
 * one without a further proof. Answers how many sessions and open links that were.
 */
export async function endAccess(tx: Tx): Promise<{ readonly sessions: number; readonly oneTimes: number }> {
  const [sessions, oneTimes] = [await endAllSessions(tx), await withdrawAllOneTimes(tx)];
  await endAllTickets(tx);
  return { sessions, oneTimes };
}

/** What opens the system and stays: a person takes away again what was taken away after the backup. */
export async function standingAccess(
  db: Db,
): Promise<{ readonly apiKeys: number; readonly accounts: number; readonly passkeys: number }> {
  const { rows } = await sql<{ apiKeys: number; accounts: number; passkeys: number }>`
    SELECT (SELECT count(*)::int FROM api_key WHERE revoked_at IS NULL AND expires_at > now()) AS "apiKeys",
      (SELECT count(*)::int FROM account WHERE status <> 'DEACTIVATED') AS accounts,
      (SELECT count(*)::int FROM passkey) AS passkeys`.execute(db);
  return required(rows[0], 'the counts of what opens the system');
}

/** The keys that wrap data keys of the database, and that `FIELD_KEYS` does not have: what they seal cannot be read. */
export async function missingKeys(db: Db): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT DISTINCT wrapped_by AS name FROM data_key WHERE wrapped_by <> ALL (${fieldKeysOf(db)?.names ?? []}::text[]) ORDER BY 1`.execute(
    db,
  );
  return rows.map(({ name }) => name);
}

export interface Verified {
  readonly ok: boolean;
  /** Of the books: rows that do not agree. */
  readonly differences: number;
  /** Of the audit trail: rows that are right, and those that are not, as `stream/number`. */
  readonly auditRows: number;
  readonly auditBroken: readonly string[];
}

const AUDIT_MS = 60_000;

/** Statistics, without which statements are planned badly; then the books and the audit trail as a whole. */
export async function verifyRestored(db: Db): Promise<Verified> {
  await db.connection().execute(async (one) => {
    await sql`SET statement_timeout = 0`.execute(one);
    await sql`ANALYZE`.execute(one);
    await sql`RESET statement_timeout`.execute(one);
  });
  const { ok, differenceCount } = await checkIntegrity(db);
  let auditRows = 0;
  const broken: string[] = [];
  for (let after: string | null = null, isAll = false; !isAll; ) {
    const report = await verifyAudit(db, after, AUDIT_MS);
    auditRows += report.verified;
    broken.push(...report.broken.map(({ streamId, seq }) => `${streamId}/${seq}`));
    after = report.nextStream;
    isAll = report.complete;
  }
  return { ok: ok && broken.length === 0, differences: differenceCount, auditRows, auditBroken: broken.slice(0, 20) };
}
