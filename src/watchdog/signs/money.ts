import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { IncidentExample } from '../../db/schema.ts';
import type { Sign } from '../sign.ts';

/** Money that a person has to see to, beside the sagas about it. */

interface Found {
  readonly subject: string;
  readonly count: number;
  readonly since: Date;
  readonly examples: readonly IncidentExample[];
}

/** The five that have stood longest, of rows with an id, their stay, its property, a code and since when. */
const EXAMPLES = sql`(array_agg(jsonb_strip_nulls(jsonb_build_object('id', id, 'reservationId', stay, 'propertyId', property_id, 'code', code,
  'since', to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) ORDER BY since, id))[1:5] AS examples`;

/** Most guests try again themselves, with the next card. */
const OWN_TRY_MINUTES = 15;
/** Of what is older the guest is reminded, as of anything that is due. */
const FORGOTTEN_HOURS = 24;

/** Stays whose last payment failed, and for which nobody has paid since. One incident for each gateway and answer. */
export const declinedSign = (db: Db): Sign => ({
  name: 'failed payments',
  kinds: ['PAYMENT_DECLINED'],
  async look() {
    const { rows } = await sql<Found>`
      WITH failed AS (
        SELECT DISTINCT ON (t.reservation_id) t.id, t.reservation_id AS stay, r.property_id, t.gateway_id, coalesce(t.error_code, 'UNKNOWN') AS code,
               t.created_at AS since
          FROM transaction t JOIN reservation r ON r.id = t.reservation_id
         WHERE t.status = 'FAILED' AND t.type = 'GUEST_PAYMENT' AND t.created_at > now() - ${FORGOTTEN_HOURS}::int * interval '1 hour'
           AND r.status NOT IN ('CANCELLED', 'NO_SHOW') AND r.payment_status IN ('UNPAID', 'PARTIALLY_PAID')
         ORDER BY t.reservation_id, t.created_at DESC, t.id)
      SELECT left(coalesce(gateway_id, 'gateway') || ': ' || code, 200) AS subject, count(*)::int AS count, min(since) AS since, ${EXAMPLES}
        FROM failed f WHERE since < now() - ${OWN_TRY_MINUTES}::int * interval '1 minute'
         AND NOT EXISTS (SELECT FROM payment y WHERE y.reservation_id = f.stay AND y.created_at > f.since AND y.status IN ('PROCESSING', 'COMPLETED'))
       GROUP BY 1 ORDER BY 1`.execute(db);
    return rows.map((row) => ({ kind: 'PAYMENT_DECLINED', area: 'MONEY', ...row }) as const);
  },
});

/** Disputes that somebody still has to answer, as the task of each says. One incident for each gateway and reason. */
export const disputeSign = (db: Db): Sign => ({
  name: 'disputes',
  kinds: ['DISPUTE_WAITS'],
  async look() {
    const { rows } = await sql<Found>`
      WITH open AS (
        SELECT t.id, t.reservation_id AS stay, t.property_id, t.gateway_id, coalesce(t.details ->> 'reason', 'NO_REASON') AS code, t.created_at AS since
          FROM transaction t WHERE t.type = 'DISPUTE' AND t.status IN ('PENDING', 'PROCESSING')
           AND EXISTS (SELECT FROM task k WHERE k.reservation_id = t.reservation_id AND k.type = 'FINANCE' AND k.occurrence = 'dispute-' || t.id
                        AND k.status IN ('UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS')))
      SELECT left(coalesce(gateway_id, 'gateway') || ': ' || code, 200) AS subject, count(*)::int AS count, min(since) AS since, ${EXAMPLES}
        FROM open GROUP BY 1 ORDER BY 1`.execute(db);
    return rows.map((row) => ({ kind: 'DISPUTE_WAITS', area: 'MONEY', ...row }) as const);
  },
});
