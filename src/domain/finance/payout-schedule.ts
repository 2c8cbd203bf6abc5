import { savedZone } from '../../kernel/time-zone.ts';

const DAY_MS = 24 * 60 * 60_000;

export interface PayoutMoments {
  readonly paidAt: Date;
  readonly checkInAt: Date;
  readonly checkOutAt: Date;
  /** IANA zone of the property, whose days a monthly policy counts in. */
  readonly timeZone: string;
}

/** The same as the database's check. Days up to the 28th only, which every month has. */
export const PAYOUT_POLICY = /^(?:ON_PAYMENT|AFTER_CHECK_IN|AFTER_CHECK_OUT|MONTHLY:([1-9]|1\d|2[0-8]))$/;
/** The local time at which a monthly payout falls due. */
const MONTHLY_AT = '09:00';

/**
 * When an owner's share falls due (domain.md 8): with the payment, 24 h after check-in or check-out, or on a day of the
 * month, the first such day after both the payment and the check-in. Never before the payment. Pure. Throws `RangeError` for an
 * unknown policy.
 */
export function payoutDueAt(policy: string, { paidAt, checkInAt, checkOutAt, timeZone }: PayoutMoments): Date {
  const notBefore = (at: Date): Date => (at > paidAt ? at : paidAt);
  if (policy === 'ON_PAYMENT') return paidAt;
  if (policy === 'AFTER_CHECK_IN') return notBefore(new Date(checkInAt.getTime() + DAY_MS));
  if (policy === 'AFTER_CHECK_OUT') return notBefore(new Date(checkOutAt.getTime() + DAY_MS));
  const day = PAYOUT_POLICY.exec(policy)?.[1];
  if (day === undefined) throw new RangeError(`not a payout policy: ${policy}`);
  return nextDayOfMonth(Number(day), notBefore(checkInAt), timeZone);
}

function nextDayOfMonth(day: number, after: Date, timeZone: string): Date {
  const from = Temporal.Instant.fromEpochMilliseconds(after.getTime()).toZonedDateTimeISO(savedZone(timeZone));
  const at = (month: Temporal.PlainDate): Date =>
    new Date(
      month
        .with({ day })
        .toZonedDateTime({ timeZone: savedZone(timeZone), plainTime: Temporal.PlainTime.from(MONTHLY_AT) })
        .epochMilliseconds,
    );
  const thisMonth = at(from.toPlainDate());
  return thisMonth > after ? thisMonth : at(from.toPlainDate().add({ months: 1 }));
}
