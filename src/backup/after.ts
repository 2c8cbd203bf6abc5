import { sql } from 'kysely';
import type { Db, Tx } from '../db/client.ts';
import { recordAudit } from '../domain/audit/record.ts';
import { verifyAudit } from '../domain/audit/resource.ts';
import { checkIntegrity } from '../domain/finance/integrity.ts';
import { openHolds, setHold } from '../engine/store/holds.ts';
import type { Header } from './format.ts';

/** What a restored database needs before anybody works with it. */

const RESTORE = { actor: 'system:restore', requestId: null };

/**
 * In the commit that makes the database: whatever sends money out is paused, until a person has compared the books with the record of
 * the bank and the gateways. Money that went out after the backup is owed again by these books, and would go out twice.
 */
export async function holdMoney(tx: Tx, sagas: readonly string[], { takenAt, migrations }: Header): Promise<void> {
  const held = new Set((await openHolds(tx)).map(({ scope, subject }) => `${scope} ${subject}`));
  const reason = `Restored from the backup of ${takenAt}: compare the bank and the gateways with the books first`;
  for (const subject of sagas)
    if (!held.has(`NAME ${subject}`)) await setHold(tx, { scope: 'NAME', subject, reason }, RESTORE);
  await recordAudit(tx, {
    streamId: 'backup:restored',
    event: 'BACKUP_RESTORED',
    ...RESTORE,
    body: { outcome: 'success', details: { takenAt, migration: migrations.at(-1)?.name ?? null } },
  });
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
