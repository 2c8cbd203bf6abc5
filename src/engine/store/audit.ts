import type { Db, Tx } from '../../db/client.ts';
import { type AuditNote, appendAudit } from '../../domain/audit/record.ts';

/** Appends to the saga's own stream of the audit trail. `ends`: the one row that closes the saga. */
export const writeAudit = (
  tx: Tx | Db,
  sagaId: string,
  note: AuditNote,
  options: { readonly ends?: boolean } = {},
): Promise<void> => appendAudit(tx, { stream_id: sagaId, saga_id: sagaId, ends: options.ends ?? false, ...note });
