import { type Kysely, sql } from 'kysely';

/**
 * Events name as the amount of a completed payment what it received, as everything else does, and beside it what was
 * asked: the last of several payments settles the row of the whole amount due.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(functionOf(`'amountMinor', ${RECEIVED}, 'amountDueMinor', ${ASKED}`)).execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw(functionOf(`'amountMinor', n.amount_minor`)).execute(db);
}

/** As \`amountOf\` of the program says. */
const RECEIVED = `CASE WHEN n.type = 'GUEST_PAYMENT' AND n.status = 'COMPLETED' THEN n.settled_minor ELSE n.amount_minor END`;
const ASKED = `CASE WHEN n.type = 'GUEST_PAYMENT' THEN n.amount_minor END`;

function functionOf(amounts: string): string {
  const data = `jsonb_build_object('status', n.status, 'type', n.type, ${amounts}, 'outstandingMinor', n.outstanding_minor,
      'currency', n.currency, 'version', n.version)`;
  return `
CREATE OR REPLACE FUNCTION transaction_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'transaction.created', 'transaction', n.id, n.reservation_id, ${data} FROM new_rows n;
  ELSE
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'transaction.' || what.happened, 'transaction', n.id, n.reservation_id, ${data}
      FROM new_rows n JOIN old_rows o ON o.id = n.id,
        LATERAL (SELECT CASE WHEN n.status <> o.status THEN lower(n.status) WHEN n.version <> o.version THEN 'updated' END AS happened) AS what
     WHERE what.happened IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
`;
}
