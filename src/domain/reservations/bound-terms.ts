import { type RawBuilder, sql } from 'kysely';

/**
 * The version of the terms that the stay `r` is, or is about to be, bound to (domain.md 6). Confirmed: those of its
 * confirmation. Paid before that: those under which its money was shared, also when it was called off since, so that later
 * money never shares again what was shared. Else those in force at `at`; a payment that failed binds nothing.
 */
export const boundTermsOf = (at: RawBuilder<Date>): RawBuilder<number> => sql<number>`coalesce(r.distribution_version,
  (SELECT x.distribution_version FROM transaction x WHERE x.reservation_id = r.id AND x.distribution_version IS NOT NULL
      AND EXISTS (SELECT FROM payment y WHERE y.reservation_id = r.id AND y.status = 'COMPLETED')
    ORDER BY x.created_at DESC, x.id DESC LIMIT 1),
  (SELECT d.version FROM income_distribution d WHERE d.effective_from <= ${at} OR d.version = 1
    ORDER BY d.effective_from DESC, d.version DESC LIMIT 1))`;
