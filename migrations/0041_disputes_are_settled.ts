import { type Kysely, sql } from 'kysely';

/** What a gateway has taken for a dispute leaves clearing like what it has handed over. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await replaceCheck(db, "'CHARGE','REFUND','DISPUTE'");
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await replaceCheck(db, "'CHARGE','REFUND'");
}

const replaceCheck = (db: Kysely<unknown>, kinds: string) =>
  sql
    .raw(
      `ALTER TABLE settlement DROP CONSTRAINT settlement_movement_check, ADD CONSTRAINT settlement_movement_check CHECK (movement IN (${kinds}))`,
    )
    .execute(db);
