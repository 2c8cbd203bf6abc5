import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Json } from '../../db/schema.ts';
import { canonicalJson } from '../../kernel/json.ts';
import type { Changes } from './changes.ts';

/** From where something comes. */
export interface Origin {
  readonly requestId: string | null;
  /** Of the client that sent the request; null or absent where none did. */
  readonly ip?: string | null;
  /** By what it was known who sent it: `session:<id>`, `key:<start of its digest>`, `token:<jti>` or `link`; null or absent: by nothing that was sent. */
  readonly credential?: string | null;
}
/** Who makes a change, and from where. */
export interface Author extends Origin {
  /** A person's token `sub`, or `service:<sub>`. */
  readonly actor: string;
}

export interface AuditBody {
  readonly outcome: string;
  readonly reservationId?: string | null;
  readonly onBehalfOf?: string | null;
  /** Ids, codes, counts and names of fields: never what a guest, an owner or a staff member wrote. */
  readonly details?: Readonly<Record<string, Json>>;
}

export interface AuditEntry extends Partial<Origin> {
  /** Rows of one stream form one hash chain; writers of one stream wait for one another. */
  readonly streamId: string;
  readonly event: string;
  readonly actor: string;
  readonly sagaId?: string | null;
  readonly reservationId?: string | null;
  readonly body: AuditBody;
}

/** A row of the trail without its place: neither its stream nor its number and hash in there, which a trigger gives. */
export interface AuditNote {
  readonly event: string;
  /** As `Author.actor`. */
  readonly actor: string;
  readonly reservation_id: string | null;
  readonly request_id: string | null;
  /** Canonical JSON: ids, codes and counts; no guest data. */
  readonly body: string;
}
export interface AuditRow extends AuditNote {
  readonly stream_id: string;
  readonly saga_id: string | null;
  /** True in the one row that closes a saga. */
  readonly ends: boolean;
}

/** Appends one row. In a transaction, so that a change and its audit row commit together. */
export async function appendAudit(tx: Db, row: AuditRow): Promise<void> {
  await tx.insertInto('audit_log').values(row).execute();
}

/**
 * Part of a statement: appends the rows of `from`, which has the columns of `AuditRow`. It may end with an ORDER BY: the
 * rows of one stream get their numbers in that order.
 */
export const auditRows = (from: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`INSERT INTO audit_log (stream_id, event, ends, actor, saga_id, reservation_id, request_id, body)
        SELECT stream_id, event, ends, actor, saga_id, reservation_id, request_id, body FROM ${from}`;

/** Appends to the trail what a person or a service did. In the transaction of the change, like `appendAudit`. */
export const recordAudit = (tx: Db, entry: AuditEntry): Promise<void> =>
  appendAudit(tx, {
    stream_id: entry.streamId,
    event: entry.event,
    ends: false,
    actor: entry.actor,
    saga_id: entry.sagaId ?? null,
    reservation_id: entry.reservationId ?? null,
    request_id: entry.requestId ?? null,
    body: canonicalJson({ userId: entry.actor, ...originIn(entry), ...entry.body }),
  });

/** Address and credential as the body of a row has them; what there is not stays out. */
export const originIn = ({ ip, credential }: Partial<Origin>) => ({
  ...(ip ? { ip } : {}),
  ...(credential ? { credential } : {}),
});

export interface ChangedRecord {
  /** `owner`, `reservation`, ...: first part of the stream's name. */
  readonly noun: string;
  readonly id: string;
  readonly event: string;
  /** The names of the fields that the caller sent. */
  readonly fields: readonly string[];
  /** The values before and after of each column that changed, also where the change followed from another field. Absent: no record was changed. */
  readonly changes?: Changes;
  readonly version: number;
  readonly reservationId?: string | null;
}

/** A record was created or changed through the API. */
export async function recordChange(tx: Db, author: Author, change: ChangedRecord): Promise<void> {
  const reservationId = change.reservationId ?? null;
  await recordAudit(tx, {
    streamId: `${change.noun}:${change.id}`,
    event: change.event,
    ...author,
    reservationId,
    body: {
      outcome: 'success',
      reservationId,
      details: {
        id: change.id,
        fields: change.fields.toSorted(),
        ...(change.changes && { changes: change.changes }),
        version: change.version,
      },
    },
  });
}

/** The names of the fields that a caller sent. */
export const fieldsOf = (values: object): string[] =>
  Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
