import type { Db } from '../../db/client.ts';
import { verifyAudit } from '../../domain/audit/resource.ts';
import type { Finding } from '../../domain/incidents/findings.ts';
import { type AuditWalk, saveWalk } from '../../domain/incidents/watch.ts';
import type { Sign } from '../sign.ts';

/** A round looks for no longer; what is left comes next round. */
const SLICE_MS = 200;
/** Between the end of one walk and the beginning of the next. */
const REST_SECONDS = 20;
const LATE_SECONDS = 24 * 3_600;
const MAX_BROKEN = 100;

/**
 * Walks the audit trail for ever, a slice each round: a trail of some thousand streams as a whole within a minute, a longer one at
 * about five thousand streams a minute. What it finds is an incident at once, and until a whole walk finds nothing.
 */
export const auditSign = (db: Db, holder: string, walk: () => AuditWalk): Sign => ({
  name: 'the audit trail',
  kinds: ['AUDIT_BROKEN', 'AUDIT_LATE'],
  async look() {
    const { after, beganAt, found, broken, unverifiedSeconds, restedSeconds } = walk();
    const late = beganAt !== null && (unverifiedSeconds ?? 0) > LATE_SECONDS;
    const isResting = beganAt === null && restedSeconds !== null && restedSeconds < REST_SECONDS;
    let all = found;
    let ended = isResting;
    if (!isResting) {
      const slice = await verifyAudit(db, after, SLICE_MS);
      all = [...found, ...slice.broken].slice(0, MAX_BROKEN);
      ended = slice.complete;
      await saveWalk(db, holder, { next: slice.nextStream, found: all });
    }
    const seen = isResting ? broken : ended ? all : [...all, ...broken];
    const rows = [...new Map(seen.map((row) => [`${row.streamId}:${row.seq}`, row])).keys()];
    return [
      ...(rows.length === 0 ? [] : [brokenFinding(rows)]),
      ...(late ? [{ kind: 'AUDIT_LATE', subject: 'audit trail' } as const] : []),
    ];
  },
});

const brokenFinding = (rows: readonly string[]): Finding => ({
  kind: 'AUDIT_BROKEN',
  subject: 'audit trail',
  count: rows.length,
  examples: rows.map((id) => ({ id })),
});
