import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { instantOfRequest } from '../../kernel/request-id.ts';
import { count } from '../../kernel/telemetry/measure.ts';
import { exactInstant, type Page, type PageRequest, type Position } from '../paging.ts';
import { auditHashOf } from './hash.ts';
import { type AuditView, auditView } from './view.ts';

export interface AuditFilter {
  readonly reservationId?: string | undefined;
  readonly sagaExecutionId?: string | undefined;
  readonly event?: string | undefined;
  readonly actor?: string | undefined;
  readonly requestId?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Clocks of processes differ a little from that of the database. */
const CLOCKS_DIFFER_MS = 5_000;
const WINDOW = sql`interval '10 minutes'`;

/**
 * When the rows of a request may begin, from its id, from where the caller says, or else ten minutes ago. No index has requests: it
 * would cost each row that is written, and few are ever looked for.
 */
function beginOf(requestId: string, from: string | undefined): RawBuilder<Date> {
  const came = instantOfRequest(requestId);
  if (came !== null) return sql<Date>`${new Date(came.getTime() - CLOCKS_DIFFER_MS)}::timestamptz`;
  return from === undefined ? sql<Date>`now() - ${WINDOW}` : sql<Date>`${from}::timestamptz`;
}

/** Newest first. The position's id is the row's id, `<stream>:<seq>`. Of a request, what was written within ten minutes. */
export async function listAudit(db: Db, filter: AuditFilter, page: PageRequest): Promise<Page<AuditView>> {
  let query = db.selectFrom('audit_log').selectAll().select(exactInstant('at').as('position_at'));
  if (filter.reservationId !== undefined) query = query.where('reservation_id', '=', filter.reservationId);
  if (filter.sagaExecutionId !== undefined) query = query.where('saga_id', '=', filter.sagaExecutionId);
  if (filter.event !== undefined) query = query.where('event', '=', filter.event);
  if (filter.actor !== undefined) query = query.where('actor', '=', filter.actor);
  if (filter.from !== undefined) query = query.where('at', '>=', sql<Date>`${filter.from}::timestamptz`);
  if (filter.to !== undefined) query = query.where('at', '<', sql<Date>`${filter.to}::timestamptz`);
  if (filter.requestId !== undefined) {
    const begin = beginOf(filter.requestId, filter.from);
    query = query
      .where('request_id', '=', filter.requestId)
      .where('at', '>=', begin)
      .where('at', '<', sql<Date>`${begin} + ${WINDOW} + ${CLOCKS_DIFFER_MS}::int * interval '1 ms'`);
  }
  if (page.after) {
    const { stream, seq } = splitId(page.after);
    query = query.where(
      sql<boolean>`(at, stream_id, seq) < (${page.after.at}::timestamptz, ${stream}::text, ${seq}::int)`,
    );
  }
  const rows = await query
    .orderBy('at', 'desc')
    .orderBy('stream_id', 'desc')
    .orderBy('seq', 'desc')
    .limit(page.limit + 1)
    .execute();
  const kept = rows.slice(0, page.limit);
  const last = rows.length > page.limit ? kept.at(-1) : undefined;
  return {
    items: kept.map(auditView),
    next: last ? { at: last.position_at, id: `${last.stream_id}:${last.seq}` } : null,
  };
}

/** A stream's name may hold colons itself. */
function splitId({ id }: Position): { readonly stream: string; readonly seq: number } {
  const colon = id.lastIndexOf(':');
  return { stream: id.slice(0, colon), seq: Number(id.slice(colon + 1)) };
}

export interface ChainReport {
  /** Rows whose hash and place in the chain are right. */
  readonly verified: number;
  readonly broken: readonly { readonly streamId: string; readonly seq: number }[];
  /** False when a bound was reached first; go on with `nextStream`. */
  readonly complete: boolean;
  readonly nextStream: string | null;
}

const STREAMS_PER_BATCH = 250;
/** With `STREAMS_PER_BATCH`, what one request looks at: it takes as long after years as it does today. */
const MAX_BATCHES = 4;
const MAX_BROKEN = 100;

/**
 * Walks all chains after a stream: each row's hash must be that of its columns and of the row before it, and numbers must
 * run without a gap. What was cut off a chain's end cannot be seen here (domain.md 17).
 */
export async function verifyAudit(db: Db, afterStream: string | null, maxMs: number): Promise<ChainReport> {
  const startedMs = performance.now();
  const end = (outcome: string): void => count('roomy_audit_verifications_total', { outcome });
  const broken: { streamId: string; seq: number }[] = [];
  let verified = 0;
  let after = afterStream ?? '';
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    const found = await verifyBatch(db, after);
    if (found.lastStream === null) {
      end(broken.length === 0 ? 'agrees' : 'broken');
      return { verified, broken, complete: true, nextStream: null };
    }
    verified += found.verified;
    broken.push(...found.broken.slice(0, MAX_BROKEN - broken.length));
    after = found.lastStream;
    if (broken.length >= MAX_BROKEN || performance.now() - startedMs > maxMs) break;
  }
  end(broken.length === 0 ? 'incomplete' : 'broken');
  return { verified, broken, complete: false, nextStream: after };
}

interface Batch {
  readonly verified: number;
  readonly broken: readonly { readonly streamId: string; readonly seq: number }[];
  readonly lastStream: string | null;
}

async function verifyBatch(db: Db, after: string): Promise<Batch> {
  const { rows } = await sql<{
    verified: number;
    last_stream: string | null;
    broken: { streamId: string; seq: number }[] | null;
  }>`
    WITH streams AS (
      SELECT DISTINCT stream_id FROM audit_log WHERE stream_id > ${after}::text ORDER BY stream_id LIMIT ${STREAMS_PER_BATCH}::int),
    links AS (
      SELECT a.stream_id, a.seq, a.hash = ${auditHashOf('a')}
          AND a.prev_hash = coalesce(lag(a.hash) OVER chain, sha256(convert_to('genesis:' || a.stream_id, 'UTF8')))
          AND a.seq = coalesce(lag(a.seq) OVER chain, 0) + 1 AS whole
        FROM audit_log a WHERE a.stream_id > ${after}::text AND a.stream_id <= (SELECT max(stream_id) FROM streams)
      WINDOW chain AS (PARTITION BY a.stream_id ORDER BY a.seq))
    SELECT count(*) FILTER (WHERE whole) AS verified, (SELECT max(stream_id) FROM streams) AS last_stream,
      jsonb_path_query_array(
        coalesce(jsonb_agg(jsonb_build_object('streamId', stream_id, 'seq', seq) ORDER BY stream_id, seq) FILTER (WHERE NOT whole), '[]'),
        '$[0 to 99]') AS broken
      FROM links`.execute(db);
  const [row] = rows;
  return { verified: row?.verified ?? 0, broken: row?.broken ?? [], lastStream: row?.last_stream ?? null };
}
