import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Db, Tx } from '../../src/db/client.ts';
import type { JournalKind, SagaStatus, TransactionType } from '../../src/db/schema.ts';
import { accounts, credit, debit, type JournalLine, post, reverseJournal } from '../../src/domain/finance/ledger.ts';
import { newId } from '../../src/kernel/ids.ts';
import { allocate } from '../../src/kernel/money.ts';

/** Money that has moved, as the sagas would have booked it, without running them. */

export interface MoneyStay {
  readonly id: string;
  readonly propertyId?: string;
  readonly ownerId?: string;
  readonly agentId?: string | null;
  readonly totalMinor?: number;
  readonly currency?: string;
}

let night = 0;
/** A stay with its guest, property, owner and agent. Safe to call again with another stay of the same. */
export async function seedMoneyStay(db: Db, stay: MoneyStay): Promise<void> {
  const { propertyId = 'property-1', ownerId = 'owner-1', agentId = null } = stay;
  const email = 'someone@example.com';
  const once = (conflict: { doNothing(): unknown }) => conflict.doNothing() as never;
  await db.insertInto('owner').values({ id: ownerId, name: ownerId, email }).onConflict(once).execute();
  await db.insertInto('guest').values({ id: 'guest-1', name: 'John Doe', email }).onConflict(once).execute();
  if (agentId !== null) {
    await db
      .insertInto('staff')
      .values({ id: agentId, name: agentId, email, role: 'AGENT' })
      .onConflict(once)
      .execute();
  }
  await db
    .insertInto('property')
    .values({ id: propertyId, name: propertyId, owner_id: ownerId })
    .onConflict(once)
    .execute();
  night += 2;
  const date = (days: number): string => new Date(Date.UTC(2024, 0, days)).toISOString().slice(0, 10);
  await db
    .insertInto('reservation')
    .values({
      id: stay.id,
      property_id: propertyId,
      guest_id: 'guest-1',
      check_in_date: date(night),
      check_out_date: date(night + 1),
      total_minor: stay.totalMinor ?? 100_000,
      currency: stay.currency ?? 'AED',
      referring_agent_id: agentId,
      distribution_version: 1,
      created_by: 'test',
    })
    .execute();
}

export interface SagaSeed {
  readonly name?: string;
  readonly subjectId: string;
  readonly subjectType?: 'reservation' | 'transaction';
  readonly status?: SagaStatus;
  readonly requestedBy?: string;
  readonly requestedAt?: Date;
  readonly errorCode?: string;
  readonly input?: object;
  /** At which it stands. */
  readonly step?: number;
}
export async function addSaga(db: Db | Tx, seed: SagaSeed): Promise<string> {
  const { status = 'completed' } = seed;
  const id = newId('saga');
  const ended = ['completed', 'compensated', 'resolved'].includes(status);
  await db
    .insertInto('saga')
    .values({
      id,
      name: seed.name ?? 'processPayment',
      definition_ver: 1,
      subject_type: seed.subjectType ?? 'reservation',
      subject_id: seed.subjectId,
      input: JSON.stringify(seed.input ?? {}),
      current_step: seed.step ?? 1,
      input_hash: Buffer.from('hash'),
      requested_by: seed.requestedBy ?? 'agent-1',
      requested_at: seed.requestedAt ?? new Date(),
      status,
      total_steps: 8,
      deadline_at: new Date(Date.now() + 60_000),
      error_code: seed.errorCode ?? null,
      ...(ended ? { finished_at: new Date(), response_status: 200, response_body: Buffer.from('{}') } : {}),
    })
    .execute();
  return id;
}

export interface PaidStay {
  readonly paymentId: string;
  readonly sagaId: string;
  readonly transactions: Readonly<Partial<Record<TransactionType, string>>>;
}
export interface PaymentSeed {
  readonly stay: MoneyStay;
  readonly amountMinor?: number;
  readonly feeMinor?: number;
  readonly gatewayId?: string;
  readonly reference?: string;
  readonly at?: Date;
  readonly sagaStatus?: SagaStatus;
}

/** The whole balance of a stay is paid and shared 70/25/5, as `processPayment` books it. */
export async function payStay(db: Db, seed: PaymentSeed): Promise<PaidStay> {
  const { stay, feeMinor = 0, gatewayId = 'sandbox', at = new Date() } = seed;
  const amountMinor = seed.amountMinor ?? stay.totalMinor ?? 100_000;
  const currency = stay.currency ?? 'AED';
  const ownerId = stay.ownerId ?? 'owner-1';
  const agentId = stay.agentId ?? null;
  const reference = seed.reference ?? `ref-${randomUUID()}`;
  const [owner = 0, agency = 0, referral = 0] = allocate(amountMinor, [7_000, 2_500, 500]);
  const guest = accounts.guestCredit('guest-1', currency);
  const sagaId = await addSaga(db, { subjectId: stay.id, status: seed.sagaStatus ?? 'completed' });
  const paymentId = newId('payment');
  const providerId = `ch-${reference}`;
  const transactions: Partial<Record<TransactionType, string>> = {};
  await db.transaction().execute(async (tx) => {
    await tx
      .insertInto('payment')
      .values({
        id: paymentId,
        reservation_id: stay.id,
        saga_id: sagaId,
        gateway_id: gatewayId,
        gateway_reference: reference,
        amount_minor: amountMinor,
        currency,
        fee_minor: feeMinor,
        status: 'COMPLETED',
        provider_id: providerId,
        requested_by: 'agent-1',
        completed_at: at,
        created_at: at,
      })
      .execute();
    const book = async (
      type: TransactionType,
      kind: JournalKind,
      movedMinor: number,
      lines: readonly JournalLine[],
      more: object = {},
    ): Promise<void> => {
      const id = newId('transaction');
      transactions[type] = id;
      const pending = type === 'OWNER_PAYOUT';
      await tx
        .insertInto('transaction')
        .values({
          id,
          type,
          status: pending ? 'PENDING' : 'COMPLETED',
          reservation_id: stay.id,
          owner_id: ownerId,
          amount_minor: movedMinor,
          outstanding_minor: pending ? movedMinor : 0,
          settled_minor: pending ? 0 : movedMinor,
          currency,
          payment_id: paymentId,
          distribution_version: 1,
          created_by_saga: sagaId,
          completed_at: pending ? null : at,
          ...more,
        })
        .execute();
      const purpose = kind === 'GUEST_PAYMENT' ? 'RECEIPT' : kind === 'GATEWAY_FEE' ? 'FEE' : 'DISTRIBUTION';
      const place = { transactionId: id, reservationId: stay.id, paymentId, sagaId, postedBy: 'agent-1' };
      await post(tx, { ...place, effectKey: `${id}-journal`, kind, purpose, currency, lines });
    };
    await book(
      'GUEST_PAYMENT',
      'GUEST_PAYMENT',
      amountMinor,
      [debit(accounts.gatewayClearing(gatewayId, currency), amountMinor), credit(guest, amountMinor)],
      { gateway_id: gatewayId, gateway_reference: reference, provider_id: providerId },
    );
    const parent = { parent_id: transactions.GUEST_PAYMENT };
    const share = (account: Parameters<typeof credit>[0], minor: number) => [
      debit(guest, minor),
      credit(account, minor),
    ];
    await book('OWNER_PAYOUT', 'OWNER_SHARE', owner, share(accounts.ownerPayable(ownerId, currency), owner), {
      ...parent,
      scheduled_for: at,
    });
    await book('AGENCY_FEE', 'AGENCY_FEE', agency, share(accounts.agencyFee(currency), agency), parent);
    await book('REFERRAL_FEE', 'REFERRAL_FEE', referral, share(accounts.referral(agentId, currency), referral), {
      ...parent,
      beneficiary_id: agentId,
      retained_by: agentId === null ? 'AGENCY' : null,
    });
    if (feeMinor > 0) {
      const fee = [
        debit(accounts.gatewayFee(currency), feeMinor),
        credit(accounts.gatewayClearing(gatewayId, currency), feeMinor),
      ];
      await book('GATEWAY_FEE', 'GATEWAY_FEE', feeMinor, fee, parent);
    }
    await sql`UPDATE reservation SET payment_status = payment_status_of(id) WHERE id = ${stay.id}`.execute(tx);
  });
  return { paymentId, sagaId, transactions };
}

/** The bank has paid the payout of a paid stay. */
export async function payOut(
  db: Db,
  stay: MoneyStay,
  { transactions }: PaidStay,
  options: {
    readonly netMinor?: number;
    readonly providerId?: string;
    readonly gatewayId?: string;
    readonly at?: Date;
  } = {},
): Promise<void> {
  const id = transactions.OWNER_PAYOUT ?? '';
  const currency = stay.currency ?? 'AED';
  const sagaId = await addSaga(db, { name: 'processOwnerPayout', subjectType: 'transaction', subjectId: id });
  await db.transaction().execute(async (tx) => {
    const row = await tx
      .updateTable('transaction')
      .set((eb) => ({
        status: 'COMPLETED',
        outstanding_minor: 0,
        settled_minor: options.netMinor ?? eb.ref('amount_minor'),
        payout_saga: sagaId,
        provider_id: options.providerId ?? `po-${id}`,
        gateway_id: options.gatewayId ?? null,
        completed_at: options.at ?? new Date(),
      }))
      .where('id', '=', id)
      .returning(['settled_minor', 'payment_id', 'reservation_id'])
      .executeTakeFirstOrThrow();
    await post(tx, {
      effectKey: `${sagaId}-${id}`,
      kind: 'OWNER_PAYOUT',
      purpose: 'PAYOUT',
      currency,
      transactionId: id,
      reservationId: row.reservation_id,
      paymentId: row.payment_id,
      sagaId,
      postedBy: 'finance-1',
      lines: [
        debit(accounts.ownerPayable(stay.ownerId ?? 'owner-1', currency), row.settled_minor),
        credit(accounts.bank(currency), row.settled_minor),
      ],
    });
  });
}

/** Half, or another share in percent, of a fully paid stay goes back to the guest, and has arrived there. */
export async function refundStay(
  db: Db,
  stay: MoneyStay,
  { paymentId, transactions }: PaidStay,
  options: { readonly percent?: number; readonly paid?: boolean; readonly gatewayId?: string; readonly at?: Date } = {},
): Promise<string> {
  const { percent = 50, paid = true, gatewayId = 'sandbox' } = options;
  const currency = stay.currency ?? 'AED';
  const ownerId = stay.ownerId ?? 'owner-1';
  const total = stay.totalMinor ?? 100_000;
  const amountMinor = Math.round((total * percent) / 100);
  const before = allocate(total, [7_000, 2_500, 500]);
  const after = allocate(total - amountMinor, [7_000, 2_500, 500]);
  const less = (index: number): number => (before[index] ?? 0) - (after[index] ?? 0);
  const sagaId = await addSaga(db, { name: 'cancelReservation', subjectId: stay.id });
  const id = newId('transaction');
  const guest = accounts.guestCredit('guest-1', currency);
  await db.transaction().execute(async (tx) => {
    const payment = await tx
      .updateTable('payment')
      .set({ refunded_minor: amountMinor })
      .where('id', '=', paymentId)
      .returning(['gateway_reference'])
      .executeTakeFirstOrThrow();
    await tx
      .insertInto('transaction')
      .values({
        id,
        type: 'REFUND',
        status: paid ? 'COMPLETED' : 'PENDING',
        reservation_id: stay.id,
        owner_id: ownerId,
        amount_minor: amountMinor,
        outstanding_minor: paid ? 0 : amountMinor,
        settled_minor: paid ? amountMinor : 0,
        currency,
        payment_id: paymentId,
        distribution_version: 1,
        gateway_id: gatewayId,
        gateway_reference: payment.gateway_reference,
        provider_id: paid ? `re-${id}` : null,
        created_by_saga: sagaId,
        completed_at: paid ? (options.at ?? new Date()) : null,
        details: JSON.stringify({ percent, rule: 'DAYS_3', daysBeforeCheckIn: 3 }),
      })
      .execute();
    const place = { transactionId: id, reservationId: stay.id, paymentId, sagaId, postedBy: 'agent-1', currency };
    await post(tx, {
      ...place,
      effectKey: `${id}-refund`,
      kind: 'REFUND',
      purpose: 'DISTRIBUTION',
      lines: [
        debit(accounts.ownerPayable(ownerId, currency), less(0)),
        debit(accounts.agencyFee(currency), less(1)),
        debit(accounts.referral(stay.agentId ?? null, currency), less(2)),
        credit(guest, amountMinor),
      ],
    });
    if (paid) {
      const lines = [debit(guest, amountMinor), credit(accounts.gatewayClearing(gatewayId, currency), amountMinor)];
      await post(tx, { ...place, effectKey: `${id}-paid`, kind: 'REFUND_PAID', purpose: 'RECEIPT', lines });
    }
    const rest = after[0] ?? 0;
    await tx
      .updateTable('transaction')
      .set({ ...(rest === 0 ? { status: 'CANCELLED' as const } : { amount_minor: rest }), outstanding_minor: rest })
      .where('id', '=', transactions.OWNER_PAYOUT ?? '')
      .where('status', '=', 'PENDING')
      .execute();
    await sql`UPDATE reservation SET payment_status = payment_status_of(id) WHERE id = ${stay.id}`.execute(tx);
  });
  return id;
}

/** The saga of a payment was undone: every journal is reversed, newest first. */
export async function takeBack(db: Db, stay: MoneyStay, { paymentId, sagaId }: PaidStay): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const journals = await tx
      .selectFrom('ledger_tx')
      .select(['id', 'transaction_id'])
      .where('saga_id', '=', sagaId)
      .orderBy('id', 'desc')
      .execute();
    for (const { id } of journals) {
      await reverseJournal(tx, id, { sagaId, postedBy: 'agent-1', effectKey: `${id}-back` });
    }
    await tx
      .updateTable('transaction')
      .set((eb) => ({
        status: eb
          .case()
          .when('status', '=', 'PENDING')
          .then('CANCELLED' as const)
          .else('REVERSED' as const)
          .end(),
        outstanding_minor: 0,
      }))
      .where(
        'id',
        'in',
        journals.flatMap(({ transaction_id }) => transaction_id ?? []),
      )
      .execute();
    await tx.updateTable('payment').set({ status: 'REVERSED' }).where('id', '=', paymentId).execute();
    await sql`UPDATE reservation SET payment_status = payment_status_of(id) WHERE id = ${stay.id}`.execute(tx);
  });
}

/** Changes a row behind the triggers' back, as somebody with the database's password could. */
export function tamper(db: Db, statement: ReturnType<typeof sql>): Promise<void> {
  return db.transaction().execute(async (tx) => {
    await sql`SET LOCAL session_replication_role = replica`.execute(tx);
    await statement.execute(tx);
  });
}

/** Debits less credits of an account, in minor units. */
export async function balanceOf(db: Db, accountId: string): Promise<number> {
  const { sum } = await db
    .selectFrom('ledger_entry')
    .select((eb) => eb.fn.coalesce(eb.fn.sum<number>('amount'), eb.val(0)).as('sum'))
    .where('account_id', '=', accountId)
    .executeTakeFirstOrThrow();
  return Number(sum);
}
