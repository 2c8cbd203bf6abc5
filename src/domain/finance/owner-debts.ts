import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { attemptEach } from '../sweeps/isolate.ts';
import { openFinanceTask } from '../tasks/finance-task.ts';
import { LEDGER_TOTALS } from './totals.ts';

/** A debt that no payout has netted for this long needs a person (domain.md 9.2). */
const PATIENCE_DAYS = 30;
const MAX_ALERTS = 100;

/**
 * Alerts staff to owners whose balance has been negative for 30 days, and opens a task for each, every night until it is not.
 * Answers the number of alerts.
 */
export async function alertOldDebts(db: Db): Promise<number> {
  const { rows } = await sql<Debt>`
    WITH owing AS MATERIALIZED (
      SELECT party_id, currency FROM ${LEDGER_TOTALS} t WHERE account_kind = 'OWNER_PAYABLE' GROUP BY party_id, currency HAVING sum(amount) > 0)
    SELECT a.party_id, a.currency, (SELECT min(p.id) FROM property p WHERE p.owner_id = a.party_id) AS property_id
      FROM owing JOIN ledger_account a ON a.kind = 'OWNER_PAYABLE' AND a.party_id = owing.party_id AND a.currency = owing.currency
      JOIN ledger_entry e ON e.account_id = a.id JOIN ledger_tx x ON x.id = e.tx_id
     GROUP BY a.party_id, a.currency
    HAVING max(x.created_at) FILTER (WHERE x.kind IN ('REFUND', 'OWNER_PAYOUT')) < now() - ${PATIENCE_DAYS}::int * interval '1 day'
       AND ${isNotSetAside('debts', sql`(a.party_id || ' ' || a.currency)`)}
     ORDER BY a.party_id, a.currency LIMIT ${MAX_ALERTS}`.execute(db);
  const alerted = await attemptEach(db, 'debts', rows, {
    id: ({ party_id, currency }) => `${party_id} ${currency}`,
    work: (debt) => alertDebt(db, debt),
  });
  return alerted.length;
}

interface Debt {
  readonly party_id: string;
  readonly currency: string;
  readonly property_id: string | null;
}

async function alertDebt(db: Db, { party_id, currency, property_id }: Debt): Promise<void> {
  await raiseAlert(db, {
    about: 'owner',
    id: `${party_id} ${currency}`,
    source: 'processOwnerPayout',
    step: null,
    code: 'OWNER_OWES',
    group: `owner-debt-${party_id}-${currency}`,
  });
  if (property_id === null) return;
  await openFinanceTask(db, {
    occasion: `owner-debt-${party_id}-${currency}`,
    propertyId: property_id,
    reservationId: null,
    title: 'Settle what an owner owes',
    description: `Owner ${party_id} has owed ${currency} for more than ${PATIENCE_DAYS} days, and no payout to net it against is in sight.`,
  });
}
