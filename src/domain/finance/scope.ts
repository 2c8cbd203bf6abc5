import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';

/** The money that a reader may see. It goes into the WHERE of every query, never after it (security.md Z1). */
export type MoneyScope =
  | { readonly kind: 'ALL' }
  /** An agent: the properties of its portfolio. */
  | { readonly kind: 'PORTFOLIO'; readonly agentId: string }
  /** An owner: its own money. */
  | { readonly kind: 'OWNER'; readonly ownerId: string };

export interface MoneyFilter {
  /** ISO instants. From inclusive, to exclusive, asOf inclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly asOf?: string | undefined;
  readonly propertyId?: string | undefined;
  readonly ownerId?: string | undefined;
  readonly reservationId?: string | undefined;
  readonly currency?: string | undefined;
}

type Condition = RawBuilder<unknown>;

/** Conditions joined by AND; true when there are none. */
export const allOf = (conditions: readonly Condition[]): Condition =>
  conditions.length === 0 ? sql`true` : sql.join([...conditions], sql` AND `);

/** A property, named `p`, that lies within the scope. */
function ownProperty(scope: MoneyScope): Condition {
  switch (scope.kind) {
    case 'ALL':
      return sql`true`;
    case 'PORTFOLIO':
      return sql`${scope.agentId}::text = ANY(p.agent_ids)`;
    case 'OWNER':
      return sql`p.owner_id = ${scope.ownerId}`;
  }
}

/**
 * Checks that everything that a filter names exists within the scope. Absent and foreign are one refusal, and cost one query, so
 * that they cannot be distinguished (security.md Z1, Z13). Throws `NOT_FOUND`.
 */
export async function assertVisible(db: Db | Tx, scope: MoneyScope, filter: MoneyFilter): Promise<void> {
  const own = ownProperty(scope);
  const named: Condition[] = [];
  if (filter.propertyId !== undefined) {
    named.push(sql`EXISTS (SELECT FROM property p WHERE p.id = ${filter.propertyId} AND ${own})`);
  }
  if (filter.reservationId !== undefined) {
    named.push(sql`EXISTS (SELECT FROM reservation r JOIN property p ON p.id = r.property_id
      WHERE r.id = ${filter.reservationId} AND ${own})`);
  }
  if (filter.ownerId !== undefined) {
    named.push(
      scope.kind === 'PORTFOLIO'
        ? sql`EXISTS (SELECT FROM property p WHERE p.owner_id = ${filter.ownerId} AND ${own})`
        : sql`EXISTS (SELECT FROM owner o WHERE o.id = ${filter.ownerId} AND ${scope.kind === 'OWNER' ? sql`o.id = ${scope.ownerId}` : sql`true`})`,
    );
  }
  if (named.length === 0) return;
  const { rows } = await sql<{ visible: boolean }>`SELECT ${allOf(named)} AS visible`.execute(db);
  if (rows[0]?.visible !== true) throw new RoomyError('NOT_FOUND');
}

/** A transaction, named `t`, that lies within the scope; an owner's are those that name it. */
export function ownTransaction(scope: MoneyScope): RawBuilder<SqlBool> {
  switch (scope.kind) {
    case 'ALL':
      return sql`true`;
    case 'PORTFOLIO':
      return sql`EXISTS (SELECT FROM property p WHERE p.id = t.property_id AND ${ownProperty(scope)})`;
    case 'OWNER':
      return sql`t.owner_id = ${scope.ownerId}`;
  }
}

/**
 * Conditions on a journal `x` with its transaction `t`, its stay `r` and its property `p`, within scope and filter.
 * The owner of a journal is that of its transaction; only a journal without one belongs to the owner of the property.
 */
export function journalConditions(scope: MoneyScope, filter: MoneyFilter): Condition {
  const conditions: Condition[] = [];
  if (scope.kind === 'PORTFOLIO') conditions.push(ownProperty(scope));
  if (filter.from !== undefined) conditions.push(sql`x.created_at >= ${filter.from}::timestamptz`);
  if (filter.to !== undefined) conditions.push(sql`x.created_at < ${filter.to}::timestamptz`);
  if (filter.asOf !== undefined) conditions.push(sql`x.created_at <= ${filter.asOf}::timestamptz`);
  if (filter.currency !== undefined) conditions.push(sql`x.currency = ${filter.currency}`);
  if (filter.propertyId !== undefined) conditions.push(sql`p.id = ${filter.propertyId}`);
  if (filter.reservationId !== undefined) conditions.push(sql`r.id = ${filter.reservationId}`);
  if (filter.ownerId !== undefined) conditions.push(sql`coalesce(t.owner_id, p.owner_id) = ${filter.ownerId}`);
  return allOf(conditions);
}
