import type { Json } from '../db/schema.ts';
import type { AuditEntry, Origin } from '../domain/audit/record.ts';

/** For Bull Board's hook, which sees the headers and nothing else of a request; whatever a caller sends in it is dropped. */
export const ADDRESS_HEADER = 'x-roomy-client-address';

/** Writes one row. A call whose row cannot be written is not carried out. */
export type RecordOpsAudit = (entry: AuditEntry) => Promise<void>;

export interface OpsCall extends Origin {
  readonly event: 'OPS_CALL' | 'OPS_LOGIN' | 'OPS_LOGOUT';
  readonly operator: { readonly sub: string; readonly credential?: string | null };
  readonly allowed: boolean;
  readonly sagaId?: string | null;
  readonly details?: Readonly<Record<string, Json>>;
}

/** The row of an unsafe call on the ops port, allowed or refused, in the operator's own stream. */
export const opsAudit = ({ event, operator, allowed, sagaId, details, ...origin }: OpsCall): AuditEntry => ({
  streamId: `ops:${operator.sub}`,
  event,
  actor: operator.sub,
  sagaId: sagaId ?? null,
  credential: operator.credential ?? null,
  ...origin,
  body: { outcome: allowed ? 'allowed' : 'refused', details: details ?? {} },
});
