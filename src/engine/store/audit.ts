import type { Db, Tx } from '../../db/client.ts';
import type { AuditNote } from '../audit-note.ts';

/** Appends to the saga's own stream of the audit trail. `ends`: the one row that closes the saga. */
export async function writeAudit(
  tx: Tx | Db,
  sagaId: string,
  note: AuditNote,
  options: { readonly ends?: boolean } = {},
): Promise<void> {
  await tx
    .insertInto('audit_log')
    .values({ stream_id: sagaId, saga_id: sagaId, ends: options.ends ?? false, ...note })
    .execute();
}
