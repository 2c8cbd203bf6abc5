import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';

/**
 * Whether the one who acts is the same person as one of others, all by their names in audit rows (security.md Z18). One person has
 * several: the record of an account that has another role by now, the account itself, and the keys that the person made or replaced
 * (`service:<id of the key>`). Each account keeps all names that it has had (`account_principal`), so that a name means its person
 * however much later it is asked about. A name of two accounts, one after the other, counts as both.
 */
export async function isSamePerson(db: Db | Tx, actor: string, others: readonly string[]): Promise<boolean> {
  const { rows } = await sql<{ same: boolean }>`
    WITH said (name, mine) AS (
      SELECT ${actor}::text, true UNION SELECT unnest(${[...others]}::text[]), false),
    named (name, mine) AS (
      SELECT name, mine FROM said UNION
      SELECT holder, mine FROM said JOIN api_key k ON 'service:' || k.id = said.name, unnest(k.created_by || k.rotated_by) holder),
    known (who, mine) AS (
      SELECT name, mine FROM named UNION
      SELECT 'account ' || p.account_id, mine FROM named JOIN account_principal p ON p.principal = named.name)
    SELECT EXISTS (SELECT FROM known a JOIN known b USING (who) WHERE a.mine AND NOT b.mine) AS same`.execute(db);
  return rows[0]?.same === true;
}
