import { sql } from 'kysely';
import type { RefundBase, RefundTier } from '../../../db/schema.ts';
import { allocate } from '../../../kernel/money.ts';
import { refundableOfStay } from '../../reservations/payment-status.ts';
import type { Facts } from '../delivery-facts.ts';
import type { Printer } from '../print.ts';
import { refundTermsOf } from './refund-terms.ts';
import { param, type Uses, type Variable, variable } from './variable.ts';

/** Amounts: of the notification's row, of its stay `r` with the terms `d`, and of the payouts of a bank instruction. */

interface PayoutStay {
  readonly property: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly paid: number;
  readonly kept: number;
}

/** Columns of the facts: shares in basis points, amounts in minor units. */
export const moneyColumns = ({ mayUse }: Uses) =>
  [
    sql<number | null>`d.owner_bp`.as('ownerBp'),
    sql<number | null>`d.agency_bp`.as('agencyBp'),
    sql<number | null>`d.referrer_bp`.as('referrerBp'),
    sql<number | null>`CASE WHEN ${mayUse('paid', 'refundTerms')} THEN ${refundableOfStay('r.id')} END`.as('paidMinor'),
    sql<RefundBase | null>`d.refund_base`.as('refundBase'),
    sql<readonly RefundTier[] | null>`d.refund_tiers`.as('refundTiers'),
    sql<readonly PayoutStay[] | null>`CASE WHEN ${mayUse('payoutStays', 'payoutDeductions')} THEN (
  SELECT json_agg(json_build_object('property', sp.name, 'from', sr.check_in_date::text, 'to', sr.check_out_date::text,
           'paid', x.settled_minor, 'kept', x.amount_minor - x.settled_minor) ORDER BY sr.check_in_date, x.id)
    FROM transaction x LEFT JOIN reservation sr ON sr.id = x.reservation_id LEFT JOIN property sp ON sp.id = sr.property_id
   WHERE x.payout_saga = n.params ->> 'sagaId' AND x.type = 'OWNER_PAYOUT' AND x.status = 'COMPLETED') END`.as(
      'payoutStays',
    ),
  ] as const;

export const MONEY = {
  amount: variable('money', 'AED 1,000.00', ({ params }, print) => amountIn(params, 'amountMinor', print)),
  // The amount that is owed when it is sent, where the event loads that; else the amount in its row.
  outstanding: variable('money', 'AED 600.00', ({ own, params, currency }, { money }) =>
    typeof own?.['outstandingMinor'] === 'number' && currency !== null
      ? money(own['outstandingMinor'], currency)
      : amountIn(params, 'outstandingMinor', { money }),
  ),
  price: variable('money', 'AED 1,000.00', ({ totalMinor, currency }, { money }) => money(totalMinor, currency)),
  paid: variable('money', 'AED 400.00', ({ paidMinor, currency }, { money }) => money(paidMinor, currency)),
  refundTerms: variable(
    'text',
    '100% of what you paid is refunded until 25 May 2027, 23:59 (Gulf Standard Time); 50% until 29 May 2027, 23:59; nothing after that',
    refundTermsOf,
    { optional: true },
  ),
  ownerShare: variable('money', 'AED 700.00', ownerShare),
  refundPercent: variable('percent', '25', (facts) => param(facts, 'percent')),
  receiptId: variable('id', 'transaction-1', (facts) => param(facts, 'receiptId')),
  scheduledFor: variable('instant', 'Tuesday 15 June 2027 at 00:00 (Asia/Dubai)', (facts, { moment }) => {
    const at = param(facts, 'scheduledFor');
    return moment(at === null ? null : new Date(at));
  }),
  // A gateway's codes in plain phrases; one that we have no phrase for says nothing of itself.
  failureReason: variable('text', 'the card was declined', (facts, { phrases }) => {
    const code = param(facts, 'code');
    return code === null ? null : (phrases.reasons.get(code) ?? phrases.otherReason);
  }),
  payoutStays: variable('text', 'Marina View 1204, 1 June 2027 – 4 June 2027: AED 700.00', payoutLines),
  payoutDeductions: variable('money', 'AED 50.00', deductions),
} as const satisfies Readonly<Record<string, Variable>>;

function amountIn(params: Facts['params'], name: string, { money }: Pick<Printer, 'money'>): string | null {
  const amountMinor = Object.hasOwn(params, name) ? params[name] : null;
  return typeof amountMinor === 'number' ? money(amountMinor, param({ params }, 'currency')) : null;
}

function ownerShare({ totalMinor, currency, ownerBp, agencyBp, referrerBp }: Facts, { money }: Printer): string | null {
  if (totalMinor === null || currency === null || ownerBp === null || agencyBp === null || referrerBp === null)
    return null;
  const [amountMinor = 0] = allocate(totalMinor, [ownerBp, agencyBp, referrerBp]);
  return money(amountMinor, currency);
}

/** So many stays of a bank instruction are named. */
const MAX_PAYOUT_LINES = 40;

function payoutLines({ payoutStays, params }: Facts, { day, money }: Printer): string | null {
  const currency = param({ params }, 'currency');
  if (!payoutStays || currency === null) return null;
  const lines = payoutStays.slice(0, MAX_PAYOUT_LINES).map(({ property, from, to, paid, kept }) => {
    const nights = from === null || to === null ? '' : `, ${day(from)} – ${day(to)}`;
    return `${property ?? '-'}${nights}: ${money(paid + kept, currency)}`;
  });
  const more = payoutStays.length - lines.length;
  return [...lines, ...(more > 0 ? [`+${more}`] : [])].join('; ');
}

/** Null when nothing was kept back. */
function deductions({ payoutStays, params }: Facts, { money }: Printer): string | null {
  const keptMinor = (payoutStays ?? []).reduce((sum, { kept }) => sum + kept, 0);
  return keptMinor === 0 ? null : money(keptMinor, param({ params }, 'currency'));
}
