import type { Selectable } from 'kysely';
import type { AuditLogTable, Json } from '../../db/schema.ts';

export interface AuditView {
  readonly id: string;
  readonly seq: number;
  readonly timestamp: string;
  readonly event: string;
  readonly saga: string | null;
  readonly reservationId: string | null;
  readonly userId: string;
  readonly details: Json;
  readonly actor: { readonly type: 'PERSON' | 'SERVICE' | 'SYSTEM'; readonly id: string };
  readonly onBehalfOf: string | null;
  readonly ip: string | null;
  readonly credential: string | null;
  readonly requestId: string | null;
  readonly sagaExecutionId: string | null;
  readonly outcome: string | null;
  readonly prevHash: string;
  readonly hash: string;
}

/** An audit row with the fields of the brief's sample. Rows are for ever, so it takes any body that was once written. */
export function auditView(row: Selectable<AuditLogTable>): AuditView {
  const body = parseBody(row.body);
  const text = (key: string): string | null => {
    const value = body[key];
    return typeof value === 'string' ? value : null;
  };
  return {
    id: `${row.stream_id}:${row.seq}`,
    seq: row.seq,
    timestamp: row.at.toISOString(),
    event: row.event,
    saga: text('saga'),
    reservationId: row.reservation_id ?? text('reservationId'),
    userId: text('userId') ?? row.actor,
    details: body.details ?? {},
    actor: actorOf(row.actor),
    onBehalfOf: text('onBehalfOf'),
    ip: text('ip'),
    credential: text('credential'),
    requestId: row.request_id,
    sagaExecutionId: row.saga_id,
    outcome: text('outcome'),
    prevHash: row.prev_hash.toString('hex'),
    hash: row.hash.toString('hex'),
  };
}

function actorOf(actor: string): AuditView['actor'] {
  if (actor === 'system' || actor.startsWith('system:')) return { type: 'SYSTEM', id: actor };
  const service = /^service:(.+)$/.exec(actor)?.[1];
  return service === undefined ? { type: 'PERSON', id: actor } : { type: 'SERVICE', id: service };
}

function parseBody(text: string): Readonly<Record<string, Json | undefined>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    // A body that was tampered with: the row is still shown, and `verify` names it.
    return {};
  }
}
const isObject = (value: unknown): value is Readonly<Record<string, Json>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
