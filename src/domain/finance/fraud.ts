import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { exponentOf } from '../../kernel/money.ts';

/**
 * Rules on the earlier payment attempts. Each signal has the observed number and the threshold, so that the reviewer of a payment
 * sees the reason. Points add up.
 */
export interface FraudRules {
  readonly reviewFrom: number;
  readonly blockFrom: number;
  /** Attempts to pay one stay, this one included. */
  readonly velocity: { readonly minutes: number; readonly atLeast: number; readonly points: number };
  /** Declines of one stay; the higher tier counts alone. */
  readonly declinesOfStay: {
    readonly minutes: number;
    readonly atLeast: number;
    readonly points: number;
    readonly manyAtLeast: number;
    readonly manyPoints: number;
  };
  /** Declines of the guest's other stays: those of this one have their own rule, and count once. */
  readonly declinesOfGuest: { readonly minutes: number; readonly atLeast: number; readonly points: number };
  /** Declines of one guest who is the caller, over all stays. */
  readonly declinesOfCaller: { readonly minutes: number; readonly atLeast: number; readonly points: number };
  /** Declines of one card, over all stays and guests. */
  readonly declinesOfCard: { readonly minutes: number; readonly atLeast: number; readonly points: number };
  /** Card testing: tiny amounts on one stay, this one included. */
  readonly tinyAmounts: {
    readonly minutes: number;
    readonly majorUnits: number;
    readonly atLeast: number;
    readonly points: number;
  };
  /** A multiple of the mean payment of the property's latest stays. */
  readonly oddAmount: { readonly timesMean: number; readonly minSamples: number; readonly points: number };
  /** Stays of the guest that were refunded. */
  readonly refunds: { readonly days: number; readonly atLeast: number; readonly points: number };
}
export const FRAUD_RULES: FraudRules = Object.freeze({
  reviewFrom: 50,
  blockFrom: 100,
  velocity: Object.freeze({ minutes: 10, atLeast: 10, points: 50 }),
  declinesOfStay: Object.freeze({ minutes: 60, atLeast: 6, points: 50, manyAtLeast: 12, manyPoints: 100 }),
  declinesOfGuest: Object.freeze({ minutes: 60, atLeast: 10, points: 50 }),
  declinesOfCaller: Object.freeze({ minutes: 60, atLeast: 20, points: 50 }),
  declinesOfCard: Object.freeze({ minutes: 60, atLeast: 10, points: 50 }),
  tinyAmounts: Object.freeze({ minutes: 60, majorUnits: 1, atLeast: 5, points: 50 }),
  oddAmount: Object.freeze({ timesMean: 10, minSamples: 10, points: 30 }),
  refunds: Object.freeze({ days: 30, atLeast: 3, points: 30 }),
});

export interface PaymentAttempt {
  readonly reservationId: string;
  readonly amountMinor: number;
  readonly currency: string;
  /** The caller's principal. */
  readonly requestedBy: string;
  /** Staff and service clients pay for many guests, so their number of attempts is no sign of fraud. */
  readonly isGuest: boolean;
  /** When it is accepted; the rules count back from here. */
  readonly at: Date;
}
export interface FraudSignal {
  readonly rule: string;
  readonly points: number;
  readonly observed: number;
  readonly threshold: number;
}
export interface FraudAssessment {
  readonly score: number;
  readonly verdict: 'PASS' | 'REVIEW' | 'BLOCK';
  readonly signals: readonly FraudSignal[];
}

/** To be asked before the attempt is on record. Changes nothing. */
export async function assessPayment(
  db: Db | Tx,
  attempt: PaymentAttempt,
  rules: FraudRules = FRAUD_RULES,
): Promise<FraudAssessment> {
  return assessmentOf(judge(attempt, await observe(db, attempt, rules), rules), rules);
}

function assessmentOf(signals: readonly FraudSignal[], rules: FraudRules): FraudAssessment {
  const score = signals.reduce((sum, signal) => sum + signal.points, 0);
  const verdict = score >= rules.blockFrom ? 'BLOCK' : score >= rules.reviewFrom ? 'REVIEW' : 'PASS';
  return { score, verdict, signals };
}

export interface PresentedCard {
  readonly gatewayId: string;
  /** Null: the provider has none, or could not be asked; then nothing is held against it. */
  readonly fingerprint: string | null;
  /** When the payment was accepted. */
  readonly at: Date;
}
/**
 * The findings of the payment's acceptance, with those that its card adds. The provider must be asked for the card,
 * so that this is for a step of the saga, where a request would wait for the provider. Changes nothing.
 */
export async function assessCard(
  db: Db | Tx,
  card: PresentedCard,
  found: readonly FraudSignal[],
  rules: FraudRules = FRAUD_RULES,
): Promise<FraudAssessment> {
  const { atLeast, points } = rules.declinesOfCard;
  const observed =
    card.fingerprint === null ? 0 : await declinesOfCard(db, { ...card, fingerprint: card.fingerprint }, rules);
  const signal = { rule: 'DECLINES_OF_CARD', points, observed, threshold: atLeast };
  return assessmentOf(observed >= atLeast ? [...found, signal] : found, rules);
}

async function declinesOfCard(db: Db | Tx, card: KnownCard, rules: FraudRules): Promise<number> {
  const { rows } = await cardDeclines(card, rules).execute(db);
  return rows[0]?.declines ?? 0;
}

type KnownCard = PresentedCard & { readonly fingerprint: string };
/** Fingerprints of two providers are not comparable. */
export const cardDeclines = ({ gatewayId, fingerprint, at }: KnownCard, rules: FraudRules = FRAUD_RULES) => sql<{
  readonly declines: number;
}>`
    SELECT count(*) AS declines FROM payment y JOIN saga s ON s.id = y.saga_id
     WHERE y.gateway_id = ${gatewayId} AND y.card_fingerprint = ${fingerprint} AND y.status = 'FAILED'
       AND y.created_at > ${minutesBefore(at, rules.declinesOfCard.minutes)} AND s.error_code = 'PAYMENT_DECLINED'`;

export interface Observations {
  /** Earlier attempts on the stay. */
  readonly attempts: number;
  readonly declinesOfStay: number;
  readonly declinesOfGuest: number;
  /** Zero for callers who are not guests. */
  readonly declinesOfCaller: number;
  /** Earlier ones on the stay. */
  readonly tinyAmounts: number;
  readonly samples: number;
  readonly meanMinor: number;
  readonly refundedStays: number;
}

const tinyUpTo = ({ currency }: PaymentAttempt, { tinyAmounts }: FraudRules): number =>
  tinyAmounts.majorUnits * 10 ** exponentOf(currency);

/** The signals of an attempt by the rules, from the observations alone. Pure. */
export function judge(attempt: PaymentAttempt, seen: Observations, rules: FraudRules = FRAUD_RULES): FraudSignal[] {
  const many = seen.declinesOfStay >= rules.declinesOfStay.manyAtLeast;
  const tiny = attempt.amountMinor <= tinyUpTo(attempt, rules);
  const timesMean = seen.meanMinor > 0 ? Math.floor(attempt.amountMinor / seen.meanMinor) : 0;
  const { velocity, declinesOfStay, declinesOfGuest, declinesOfCaller, tinyAmounts, oddAmount, refunds } = rules;
  const possible: readonly FraudSignal[] = [
    { rule: 'VELOCITY', points: velocity.points, observed: seen.attempts + 1, threshold: velocity.atLeast },
    {
      rule: 'DECLINES_OF_RESERVATION',
      points: many ? declinesOfStay.manyPoints : declinesOfStay.points,
      observed: seen.declinesOfStay,
      threshold: many ? declinesOfStay.manyAtLeast : declinesOfStay.atLeast,
    },
    {
      rule: 'DECLINES_OF_GUEST',
      points: declinesOfGuest.points,
      observed: seen.declinesOfGuest,
      threshold: declinesOfGuest.atLeast,
    },
    {
      rule: 'DECLINES_OF_PRINCIPAL',
      points: declinesOfCaller.points,
      observed: seen.declinesOfCaller,
      threshold: declinesOfCaller.atLeast,
    },
    {
      rule: 'TINY_AMOUNTS',
      points: tinyAmounts.points,
      observed: tiny ? seen.tinyAmounts + 1 : 0,
      threshold: tinyAmounts.atLeast,
    },
    {
      rule: 'ODD_AMOUNT',
      points: oddAmount.points,
      observed: seen.samples >= oddAmount.minSamples ? timesMean : 0,
      threshold: oddAmount.timesMean,
    },
    { rule: 'REFUNDED_STAYS', points: refunds.points, observed: seen.refundedStays, threshold: refunds.atLeast },
  ];
  return possible.filter(({ observed, threshold }) => observed >= threshold);
}

/** The mean of a property is of its latest stays, as many as one short query reads. */
const USUAL_STAYS = 100;

const minutesBefore = (at: Date, minutes: number): Date => new Date(at.getTime() - minutes * 60_000);

/** One statement of few indexed reads: it stands between a guest and the payment. */
export function observations(attempt: PaymentAttempt, rules: FraudRules = FRAUD_RULES) {
  const { reservationId, requestedBy, isGuest, currency, at } = attempt;
  const since = (minutes: number): Date => minutesBefore(at, minutes);
  return sql<Observations>`
    SELECT (SELECT count(*) FROM saga s WHERE s.subject_id = ${reservationId} AND s.name = 'processPayment'
               AND s.requested_at > ${since(rules.velocity.minutes)}) AS attempts,
           (SELECT count(*) FROM saga s WHERE s.subject_id = ${reservationId} AND s.name = 'processPayment' AND s.error_code = 'PAYMENT_DECLINED'
               AND s.requested_at > ${since(rules.declinesOfStay.minutes)}) AS "declinesOfStay",
           (SELECT count(*) FROM reservation r JOIN reservation o ON o.guest_id = r.guest_id AND o.id <> r.id JOIN payment y ON y.reservation_id = o.id
               JOIN saga s ON s.id = y.saga_id WHERE r.id = ${reservationId} AND y.status = 'FAILED'
               AND y.created_at > ${since(rules.declinesOfGuest.minutes)} AND s.error_code = 'PAYMENT_DECLINED') AS "declinesOfGuest",
           (SELECT count(*) FROM payment y JOIN saga s ON s.id = y.saga_id WHERE ${isGuest}::boolean AND y.requested_by = ${requestedBy} AND y.status = 'FAILED'
               AND y.created_at > ${since(rules.declinesOfCaller.minutes)} AND s.error_code = 'PAYMENT_DECLINED') AS "declinesOfCaller",
           (SELECT count(*) FROM payment y WHERE y.reservation_id = ${reservationId} AND y.created_at > ${since(rules.tinyAmounts.minutes)}
               AND y.amount_minor <= ${tinyUpTo(attempt, rules)}) AS "tinyAmounts",
           coalesce(usual.samples, 0) AS samples, coalesce(usual.mean, 0)::float8 AS "meanMinor",
           (SELECT count(DISTINCT o.id) FROM reservation r JOIN reservation o ON o.guest_id = r.guest_id
               JOIN transaction t ON t.reservation_id = o.id AND t.type = 'REFUND' AND t.status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')
             WHERE r.id = ${reservationId} AND t.created_at > ${since(rules.refunds.days * 24 * 60)}) AS "refundedStays"
      FROM (SELECT count(*) AS samples, avg(y.amount_minor) AS mean
              FROM (SELECT o.id FROM reservation o WHERE o.property_id = (SELECT property_id FROM reservation WHERE id = ${reservationId})
                     ORDER BY o.check_in_date DESC LIMIT ${USUAL_STAYS}) o
              JOIN payment y ON y.reservation_id = o.id WHERE y.status = 'COMPLETED' AND y.currency = ${currency}) usual`;
}

async function observe(db: Db | Tx, attempt: PaymentAttempt, rules: FraudRules): Promise<Observations> {
  const { rows } = await observations(attempt, rules).execute(db);
  const [seen] = rows;
  if (!seen)
    return {
      attempts: 0,
      declinesOfStay: 0,
      declinesOfGuest: 0,
      declinesOfCaller: 0,
      tinyAmounts: 0,
      samples: 0,
      meanMinor: 0,
      refundedStays: 0,
    };
  return seen;
}
