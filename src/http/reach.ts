import type { Tx } from '../db/client.ts';
import { type Reachable, reachesAll } from '../domain/people/reach.ts';
import { RoomyError } from '../kernel/errors.ts';
import type { Caller } from './auth.ts';
import { type AnyContext, callerOf } from './context.ts';
import { namesRecords, type Reference, type ReferenceField, type Sender, valuesAt } from './references.ts';

/** The check of what the fields of a body refer to (`references.ts`), for whoever calls. */

interface Sent {
  readonly reference: Extract<Reference, { readonly kind: 'record' }>;
  readonly field: string;
  readonly isList: boolean;
  readonly values: readonly unknown[];
}

function sentIn(fields: readonly ReferenceField[], body: unknown): readonly Sent[] {
  return fields.flatMap(({ in: where, path, reference }) => {
    if (where !== 'body' || reference.kind !== 'record') return [];
    const at = path.indexOf('[]');
    // A list that is sent empty is sent all the same: it takes away what was there.
    const isSent = valuesAt(body, at === -1 ? path : path.slice(0, at)).length > 0;
    return isSent ? [{ reference, field: path[0] ?? '', isList: at !== -1, values: valuesAt(body, path) }] : [];
  });
}

/** Throws `FORBIDDEN` for a field that is not the caller's to send. Before anything of the request is done. */
export function assertMaySend(c: AnyContext, fields: readonly ReferenceField[], body: unknown): void {
  const caller = callerOf(c);
  const refused = sentIn(fields, body).find(({ reference }) => !maySend(reference.from, caller));
  if (refused) throw new RoomyError('FORBIDDEN', { details: { field: refused.field } });
}

function maySend(from: Sender, caller: Caller): boolean {
  if (from === 'ANY') return true;
  return caller.kind === 'service' ? from === 'ADMIN_AND_SERVICES' : caller.role === 'ADMIN';
}

/**
 * Throws `REFERENCE_NOT_FOUND` for a record that the caller has not the right to, as for one that does not exist. In the transaction
 * that acts (security.md Z11). The office and its services may name every record, an agent those of a portfolio, anybody else none.
 * Of the office the lists are looked up here: a column that is a list has no foreign key.
 */
export async function assertReach(
  c: AnyContext,
  tx: Tx,
  fields: readonly ReferenceField[],
  body: unknown,
): Promise<void> {
  if (!namesRecords(fields)) return;
  const caller = callerOf(c);
  const isOffice = caller.kind === 'service' || OFFICE.has(caller.role ?? '');
  const mayName = isOffice || caller.role === 'AGENT';
  for (const { reference, field, isList, values } of sentIn(fields, body)) {
    const ids = values.filter((value) => typeof value === 'string');
    if (ids.length === 0 || (isOffice && !isList)) continue;
    const { noun } = reference;
    const isOwn = mayName && isReachable(noun) && (await reachesAll(tx, isOffice ? null : caller.principal, noun, ids));
    if (!isOwn) throw new RoomyError('REFERENCE_NOT_FOUND', { details: { field } });
  }
}

const OFFICE: ReadonlySet<string> = new Set(['ADMIN', 'FINANCE', 'OPS']);
const REACHABLE: ReadonlySet<string> = new Set(['property', 'guest', 'owner', 'staff'] satisfies Reachable[]);
const isReachable = (noun: string): noun is Reachable => REACHABLE.has(noun);
