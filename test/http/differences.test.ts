import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';
import type { GatewayMovement } from '../../src/domain/ports.ts';
import type { Role } from '../../src/http/auth.ts';
import { payStay, refundStay, seedMoneyStay, tamper } from '../setup/ledger.ts';
import { feeDifference } from '../setup/movements.ts';
import { type Answer, API, at, type Http, recordKeeper, startHttp } from './harness.ts';

/** Differences between a gateway's record and the ledger, as finance works them off. */

const PATH = `${API}/financial/differences`;
const RECONCILIATIONS = `${API}/financial/reconciliations`;

/** The gateway's record; a test may change it. */
const record: GatewayMovement[] = [];
let http: Http;
beforeAll(async () => {
  http = await startHttp({ ports: recordKeeper(record) });
}, 60_000);
afterAll(() => http?.stop());

let stays = 0;
/** Each stay is paid on a day of its own, which alone is compared. */
const day = (): string => new Date(Date.UTC(2024, 2, stays)).toISOString().slice(0, 10);
const noon = (): Date => new Date(`${day()}T12:00:00Z`);
/** A stay of 1000.00 paid with a fee of 29.00, of which the gateway says another. Answers with the reference. */
async function paidWithFee(feeMinor: number, more: Partial<GatewayMovement> = {}): Promise<string> {
  stays += 1;
  const reference = `ref-${stays}`;
  const stay = { id: `stay-${stays}`, propertyId: `property-${stays}`, ownerId: `owner-${stays}` };
  await seedMoneyStay(http.db, stay);
  await payStay(http.db, { stay, reference, at: noon(), feeMinor: 2_900 });
  says(reference, { feeMinor, ...more });
  return reference;
}
function says(reference: string, more: Partial<GatewayMovement>): void {
  record.splice(0, record.length, {
    kind: 'CHARGE',
    reference,
    providerId: `ch-${reference}`,
    amountMinor: 100_000,
    feeMinor: 2_900,
    currency: 'AED',
    at: noon(),
    settled: true,
    failed: false,
    ...more,
  });
}
const compare = () =>
  http.call('POST', RECONCILIATIONS, {
    as: 'FINANCE',
    sub: 'finance-1',
    body: { gatewayId: 'sandbox', from: day(), to: day() },
  });
const linesOf = async (compared: Answer, reference: string) => {
  const read = await http.call('GET', `${RECONCILIATIONS}/${at(compared.body, 'data', 'id')}?limit=100`);
  const lines = at(read.body, 'data', 'lines') as readonly Record<string, unknown>[];
  return lines.filter((line) => line['reference'] === reference);
};
const summaryOf = async (reservationId: string) =>
  at((await http.call('GET', `${API}/financial/summary?reservationId=${reservationId}`)).body, 'data', 'currencies', 0);
const explain = (id: unknown, reason: string, call: object = {}) =>
  http.call('POST', `${PATH}/${id}/explanation`, { as: 'FINANCE', sub: 'finance-1', body: { reason }, ...call });
const withdraw = (id: unknown, call: object = {}) =>
  http.call('DELETE', `${PATH}/${id}/explanation`, { as: 'FINANCE', sub: 'finance-1', ...call });
const correct = (id: unknown, call: object = {}) =>
  http.call('POST', `${PATH}/${id}/correction`, { as: 'FINANCE', sub: 'finance-1', ...call });
const isOpen = async (id: unknown): Promise<boolean> => {
  const listed = at((await http.call('GET', `${PATH}?status=OPEN&limit=100`)).body, 'data') as readonly {
    id: string;
  }[];
  return listed.some((one) => one.id === id);
};
const eventsOf = async (id: unknown): Promise<readonly string[]> => {
  const rows = await http.db
    .selectFrom('domain_event')
    .select('type')
    .where('resource_id', '=', String(id))
    .orderBy('id')
    .execute();
  return rows.map(({ type }) => type);
};
const auditsOf = (id: unknown) =>
  http.db
    .selectFrom('audit_log')
    .select(['event', 'actor', 'body'])
    .where('stream_id', '=', `difference:${id}`)
    .orderBy('seq')
    .execute();
const differenceOf = async (reference: string): Promise<string> => {
  const [line] = await linesOf(await compare(), reference);
  return String(line?.['differenceId']);
};

describe('the difference of the issue: 29.00 booked, 31.50 kept', () => {
  it('is one in the fee, with both fees, and the money is settled all the same', async () => {
    const reference = await paidWithFee(3_150);
    const compared = await compare();
    expect(at(compared.body, 'data')).toMatchObject({
      ok: false,
      amountMismatch: 0,
      feeMismatch: 1,
      settlementsPosted: 1,
      settled: [{ currency: 'AED', amount: 968.5 }],
    });
    expect(await linesOf(compared, reference)).toMatchObject([
      {
        status: 'FEE_MISMATCH',
        ledgerAmount: 1000,
        gatewayAmount: 1000,
        ledgerFee: 29,
        gatewayFee: 31.5,
        differs: [{ what: 'FEE', ledger: 29, gateway: 31.5 }],
        differenceStatus: 'OPEN',
      },
    ]);
    const csv = await http.call(
      'GET',
      `${RECONCILIATIONS}/${at(compared.body, 'data', 'id')}?format=csv&status=FEE_MISMATCH`,
    );
    expect(csv.text).toContain(',29,31.5,FEE 29 / 31.5,OPEN,');
    expect(await summaryOf(`stay-${stays}`)).toMatchObject({
      bank: 968.5,
      settled: 968.5,
      gatewayClearing: 2.5,
      gatewayFees: 29,
    });
    const alerts = await http.db
      .selectFrom('notification')
      .select('params')
      .where('event', '=', 'SYSTEM_ALERT')
      .orderBy('created_at', 'desc')
      .execute();
    expect(alerts[0]?.params).toMatchObject({ code: 'FEE_MISMATCH', sagaId: at(compared.body, 'data', 'id') });
  });

  it('is booked beside the first fee, so that nothing is left in clearing, and once', async () => {
    const reference = await paidWithFee(3_150);
    const id = await differenceOf(reference);
    const booked = await correct(id);
    expect([booked.status, at(booked.body, 'data')]).toMatchObject([
      200,
      { status: 'RESOLVED', bookable: false, correctionId: expect.stringMatching(/^transaction-/) },
    ]);
    const correction = await http.call('GET', `${API}/transactions/${at(booked.body, 'data', 'correctionId')}`);
    expect(at(correction.body, 'data')).toMatchObject({
      type: 'GATEWAY_FEE',
      amount: 2.5,
      details: { reason: 'FEE_DIFFERENCE', differenceId: id },
    });
    expect(await summaryOf(`stay-${stays}`)).toMatchObject({ bank: 968.5, gatewayClearing: 0, gatewayFees: 31.5 });
    const again = await correct(id);
    expect([again.status, again.body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
    expect(at((await compare()).body, 'data')).toMatchObject({ ok: true, feeMismatch: 0, settlementsPosted: 0 });
    expect((await auditsOf(id)).map(({ event, actor }) => [event, actor])).toEqual([
      ['DIFFERENCE_BOOKED', 'finance-1'],
    ]);
    expect(await eventsOf(id)).toEqual(['difference.opened', 'difference.resolved']);
    expect((await checkIntegrity(http.db)).differences).toEqual([]);
  });

  it('is booked once by many at once', async () => {
    const id = await differenceOf(await paidWithFee(3_150));
    const answers = await Promise.all([1, 2, 3, 4].map(() => correct(id)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409]);
    expect(await summaryOf(`stay-${stays}`)).toMatchObject({ gatewayClearing: 0, gatewayFees: 31.5 });
  });
});

describe('a difference that somebody has explained', () => {
  it('is open no more, in no list, count or later comparison, and calls nobody', async () => {
    const reference = await paidWithFee(3_150);
    const compared = await compare();
    const [line] = await linesOf(compared, reference);
    const id = line?.['differenceId'];
    expect(await isOpen(id)).toBe(true);
    const answer = await explain(id, 'American card');
    expect([answer.status, at(answer.body, 'data')]).toMatchObject([
      200,
      { status: 'EXPLAINED', explanation: { reason: 'American card', by: 'finance-1' } },
    ]);
    expect(await isOpen(id)).toBe(false);
    const before = await http.call('GET', `${RECONCILIATIONS}/${at(compared.body, 'data', 'id')}`);
    expect(at(before.body, 'data')).toMatchObject({ ok: true, open: 0, explained: 1, feeMismatch: 1 });
    const listed = await http.call('GET', `${RECONCILIATIONS}?gatewayId=sandbox&limit=1`);
    expect(at(listed.body, 'data', 0)).toMatchObject({ ok: true, open: 0, explained: 1 });
    const later = await compare();
    expect(at(later.body, 'data')).toMatchObject({ ok: true, open: 0, explained: 1 });
    expect(await linesOf(later, reference)).toMatchObject([
      { status: 'FEE_MISMATCH', differenceId: id, differenceStatus: 'EXPLAINED', reason: 'American card' },
    ]);
    const alerts = await http.db
      .selectFrom('notification')
      .select('id')
      .where('effect_key', 'like', `%${at(later.body, 'data', 'id')}%`)
      .execute();
    expect(alerts).toEqual([]);
    expect((await checkIntegrity(http.db)).differences).toEqual([]);
    expect(await eventsOf(id)).toEqual(['difference.opened', 'difference.explained']);
  });

  it('says so once, however often the same is said, and keeps who, when and why', async () => {
    const id = await differenceOf(await paidWithFee(3_150));
    const headers = { 'idempotency-key': `explain-${id}` };
    const first = await explain(id, 'American card', { headers });
    const replay = await explain(id, 'American card', { headers });
    expect([replay.text, replay.headers.get('idempotency-replayed')]).toEqual([first.text, 'true']);
    const again = await explain(id, 'American card', { sub: 'finance-2' });
    expect(at(again.body, 'data')).toEqual(at(first.body, 'data'));
    const other = await explain(id, 'American corporate card', { sub: 'finance-2' });
    expect(at(other.body, 'data', 'explanation')).toMatchObject({ reason: 'American corporate card', by: 'finance-2' });
    const audits = await auditsOf(id);
    expect(
      audits.map(({ event, actor, body }) => [event, actor, at(JSON.parse(String(body)), 'details', 'reason')]),
    ).toEqual([
      ['DIFFERENCE_EXPLAINED', 'finance-1', 'American card'],
      ['DIFFERENCE_EXPLAINED', 'finance-2', 'American corporate card'],
    ]);
    expect(await eventsOf(id)).toEqual(['difference.opened', 'difference.explained', 'difference.updated']);
  });

  it('is open again when its explanation is taken back', async () => {
    const id = await differenceOf(await paidWithFee(3_150));
    await explain(id, 'a mistake');
    const answer = await withdraw(id);
    expect([answer.status, at(answer.body, 'data')]).toMatchObject([
      200,
      { status: 'OPEN', explanation: null, version: 3 },
    ]);
    expect(await isOpen(id)).toBe(true);
    expect(at((await withdraw(id)).body, 'data', 'version')).toBe(3);
    expect((await auditsOf(id)).map(({ event }) => event)).toEqual(['DIFFERENCE_EXPLAINED', 'DIFFERENCE_REOPENED']);
    expect(await eventsOf(id)).toEqual(['difference.opened', 'difference.explained', 'difference.opened']);
  });

  it('is open again when its values change, and then calls a person', async () => {
    const reference = await paidWithFee(3_150);
    const id = await differenceOf(reference);
    await explain(id, 'American card');
    says(reference, { feeMinor: 9_900 });
    const compared = await compare();
    expect(await linesOf(compared, reference)).toMatchObject([
      { differenceId: id, differenceStatus: 'OPEN', reason: null, differs: [{ ledger: 29, gateway: 99 }] },
    ]);
    expect(at(compared.body, 'data')).toMatchObject({ ok: false, open: 1, settlementsPosted: 1 });
    expect(await isOpen(id)).toBe(true);
    // The fee in the gateway's record by now is the one that has come.
    expect(await summaryOf(`stay-${stays}`)).toMatchObject({ bank: 901, gatewayClearing: 70 });
    expect((await checkIntegrity(http.db)).differences).toEqual([]);
  });

  it('stays out of what is resolved', async () => {
    const reference = await paidWithFee(3_150);
    const id = await differenceOf(reference);
    says(reference, { feeMinor: 2_900 });
    await compare();
    for (const answer of [await explain(id, 'late'), await withdraw(id), await correct(id)]) {
      expect([answer.status, answer.body.code, answer.body.details]).toEqual([
        409,
        'INVALID_STATE_TRANSITION',
        { status: 'RESOLVED' },
      ]);
    }
  });

  it('can be booked all the same', async () => {
    const id = await differenceOf(await paidWithFee(2_800));
    await explain(id, 'a rebate');
    expect(at((await correct(id)).body, 'data')).toMatchObject({
      status: 'RESOLVED',
      explanation: { reason: 'a rebate' },
    });
    expect(await summaryOf(`stay-${stays}`)).toMatchObject({ bank: 972, gatewayClearing: 0, gatewayFees: 28 });
    expect((await checkIntegrity(http.db)).differences).toEqual([]);
  });
});

describe('what is changed', () => {
  it('is what was read, where the caller says so', async () => {
    const id = await feeDifference(http.db);
    const read = await http.call('GET', `${PATH}/${id}`);
    const headers = { 'if-match': read.headers.get('etag') ?? '' };
    expect((await explain(id, 'first', { headers })).status).toBe(200);
    for (const answer of [
      await explain(id, 'second', { headers }),
      await withdraw(id, { headers }),
      await correct(id, { headers }),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([412, 'PRECONDITION_FAILED']);
    }
  });

  it('is there', async () => {
    for (const answer of [
      await http.call('GET', `${PATH}/none`),
      await explain('none', 'x'),
      await withdraw('none'),
      await correct('none'),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([404, 'NOT_FOUND']);
    }
  });

  it.each(['', ' ', 'x'.repeat(501)])('has a reason: %j', async (reason) => {
    const answer = await explain(await feeDifference(http.db), reason);
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
  });

  it.each<Role>(['AGENT', 'OWNER', 'CLEANER', 'MAINTENANCE_STAFF', 'OPS', 'GUEST'])('is not for %s', async (as) => {
    const id = await feeDifference(http.db);
    const calls = [
      await http.call('GET', PATH, { as }),
      await http.call('GET', `${PATH}/${id}`, { as }),
      await explain(id, 'x', { as }),
      await withdraw(id, { as }),
      await correct(id, { as }),
    ];
    expect(calls.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
  });
});

describe('what cannot be booked', () => {
  const refused = async (id: string) => {
    const { status, body } = await correct(id);
    return [status, body.code];
  };
  it.each([
    ['another amount', { amountMinor: 99_999 }],
    ['another amount and fee', { amountMinor: 99_999, feeMinor: 2_899 }],
    ['another currency', { currency: 'USD' }],
    ['another date', { feeMinor: 2_900 }],
    ['a fee that is more than the charge', { feeMinor: 100_001 }],
  ] as const)('is refused: %s', async (name, more) => {
    const reference = await paidWithFee(3_150, more);
    if (name === 'another date') {
      await http.db
        .updateTable('payment')
        .set({ completed_at: '2024-02-20T00:00:00Z' })
        .where('gateway_reference', '=', reference)
        .execute();
    }
    expect(await refused(await differenceOf(reference))).toEqual([422, 'DIFFERENCE_NOT_BOOKABLE']);
  });

  it('is refused while the payment’s own saga is open, and when another fee is booked by now', async () => {
    const reference = await paidWithFee(3_150);
    const id = await differenceOf(reference);
    const { saga_id: saga } = await http.db
      .selectFrom('payment')
      .select('saga_id')
      .where('gateway_reference', '=', reference)
      .executeTakeFirstOrThrow();
    const ended = sql`status = 'completed', finished_at = now(), response_status = 200, response_body = ''`;
    const parked = sql`status = 'parked', finished_at = NULL, response_status = NULL, response_body = NULL`;
    await tamper(http.db, sql`UPDATE saga SET ${parked} WHERE id = ${saga}`);
    expect(await refused(id)).toEqual([409, 'SAGA_IN_PROGRESS']);
    await tamper(http.db, sql`UPDATE saga SET ${ended} WHERE id = ${saga}`);
    // Two differences about one fee cannot be: one of before stands for what is booked by now.
    await correct(id);
    await http.db
      .updateTable('difference')
      .set({ status: 'OPEN', resolved_at: null, correction_id: null })
      .where('id', '=', id)
      .execute();
    expect(await refused(id)).toEqual([409, 'SUPERSEDED']);
  });

  it('a fee of a refund can be: it stands beside that of its charge', async () => {
    stays += 1;
    const stay = { id: `stay-${stays}`, propertyId: `property-${stays}`, ownerId: `owner-${stays}` };
    const reference = `ref-${stays}`;
    await seedMoneyStay(http.db, stay);
    const paid = await payStay(http.db, { stay, reference, at: noon(), feeMinor: 2_900 });
    const refund = await refundStay(http.db, stay, paid, { at: noon() });
    const kept = { kind: 'REFUND' as const, providerId: `re-${refund}`, amountMinor: 50_000, feeMinor: 100 };
    says(reference, {});
    record.push({ ...(record[0] as GatewayMovement), ...kept });
    const lines = await linesOf(await compare(), reference);
    expect(lines.map(({ kind, status }) => [kind, status])).toEqual([
      ['CHARGE', 'MATCHED'],
      ['REFUND', 'FEE_MISMATCH'],
    ]);
    expect((await correct(lines[1]?.['differenceId'])).status).toBe(200);
    expect(at((await compare()).body, 'data')).toMatchObject({ ok: true, matched: 2 });
    expect(await summaryOf(stay.id)).toMatchObject({ gatewayFees: 30, gatewayClearing: 0, bank: 470 });
    expect((await checkIntegrity(http.db)).differences).toEqual([]);
  });
});

describe('the list', () => {
  it('is by gateway, kind, state and stay', async () => {
    const id = await differenceOf(await paidWithFee(3_150));
    const found = async (query: string): Promise<boolean> => {
      const listed = at((await http.call('GET', `${PATH}?limit=100&${query}`)).body, 'data') as readonly {
        id: string;
      }[];
      return listed.some((one) => one.id === id);
    };
    expect(await found('gatewayId=sandbox')).toBe(true);
    expect(await found('kind=FEE_MISMATCH&status=OPEN')).toBe(true);
    expect(await found(`reservationId=stay-${stays}`)).toBe(true);
    expect(await found('kind=AMOUNT_MISMATCH')).toBe(false);
    expect(await found('status=EXPLAINED')).toBe(false);
    expect(await found('reservationId=stay-1')).toBe(stays === 1);
    expect((await http.call('GET', `${PATH}?gatewayId=nobody`)).body.code).toBe('GATEWAY_UNKNOWN');
  });
});
