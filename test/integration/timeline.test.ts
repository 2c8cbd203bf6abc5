import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../src/http/auth.ts';
import { book, LIVES, live, PEOPLE, payment } from '../history/life.ts';
import { openSystem, type QuietSystem } from '../history/system.ts';
import { createTestDatabase } from '../setup/database.ts';

/** The timelines of a stay that ran to its end, and of one that was cancelled and refunded. */

let system: QuietSystem;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  drop = database.drop;
  system = await openSystem(database.url);
  await live(system);
}, 120_000);
afterAll(async () => {
  await system?.close();
  await drop?.();
});

const [LIVED, CANCELLED] = LIVES;

interface Entry {
  readonly at: string;
  readonly kind: string;
  readonly id: string;
  readonly sentence: string;
  readonly cause: { readonly kind: string; readonly id: string } | null;
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what it reads.
  readonly details: any;
}
interface Asker {
  readonly role?: Role;
  readonly sub?: string;
}

async function walk(path: string, limit = 100, as: Asker = {}): Promise<readonly Entry[]> {
  const all: Entry[] = [];
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const answered = await system.call('GET', `/${path}?limit=${limit}${next}`, as);
    expect(answered.status, answered.text).toBe(200);
    expect(answered.body.data.length).toBeLessThanOrEqual(limit);
    all.push(...answered.body.data);
    cursor = answered.body.nextCursor;
  } while (cursor !== null);
  return all;
}
const ofStay = (id: string, limit?: number, as?: Asker) => walk(`reservations/${id}/timeline`, limit, as);
const nameOf = ({ kind, id }: { readonly kind: string; readonly id: string }): string => `${kind} ${id}`;
const idsOf = (entries: readonly Entry[], kind: string) =>
  entries
    .filter((entry) => entry.kind === kind)
    .map(({ id }) => id)
    .toSorted();

/** What belongs to a stay, by plain queries. */
async function rowsOf(stay: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const ids = async (text: string): Promise<string[]> =>
    (await sql<{ id: string }>`${sql.raw(text.replaceAll('$stay', `'${stay}'`))}`.execute(system.db)).rows
      .map(({ id }) => id)
      .toSorted();
  const sagas = `SELECT id FROM saga WHERE subject_id = $stay UNION SELECT s.id FROM saga s JOIN transaction x ON x.id = s.subject_id OR x.payout_saga = s.id WHERE x.reservation_id = $stay`;
  return {
    saga: await ids(sagas),
    request: await ids(`SELECT id FROM saga WHERE request_id IS NOT NULL AND id IN (${sagas})`),
    outcome: await ids(`SELECT id FROM saga WHERE finished_at IS NOT NULL AND id IN (${sagas})`),
    step: await ids(
      `SELECT saga_id || '-' || step_no || '-' || direction AS id FROM saga_step WHERE saga_id IN (${sagas})`,
    ),
    task: await ids('SELECT id FROM task WHERE reservation_id = $stay'),
    transaction: await ids('SELECT id FROM transaction WHERE reservation_id = $stay'),
    payment: await ids('SELECT id FROM payment WHERE reservation_id = $stay'),
    message: await ids(
      'SELECT id FROM notification WHERE reservation_id = $stay OR saga_id IN (SELECT payout_saga FROM transaction WHERE reservation_id = $stay)',
    ),
    event: await ids('SELECT id::text FROM domain_event WHERE reservation_id = $stay'),
  };
}

describe.each([LIVED, CANCELLED])('the timeline of %s', (stay) => {
  it('has every row exactly once', async () => {
    const entries = await ofStay(stay);
    const rows = await rowsOf(stay);
    for (const [kind, ids] of Object.entries(rows)) {
      expect(ids.length, kind).toBeGreaterThan(0);
      expect(idsOf(entries, kind), kind).toEqual(ids);
    }
  });

  it('is in order, and the same over pages of every size', async () => {
    const entries = await ofStay(stay);
    const times = entries.map(({ at }) => at);
    expect(times).toEqual(times.toSorted());
    expect(new Set(entries.map(nameOf)).size).toBe(entries.length);
    for (const limit of [1, 7]) expect(await ofStay(stay, limit), String(limit)).toEqual(entries);
  });

  it('leads from every entry by its causes to a beginning', async () => {
    const entries = await ofStay(stay);
    const byName = new Map(entries.map((entry) => [nameOf(entry), entry]));
    const roots = new Set<string>();
    for (const entry of entries) {
      let here = entry;
      for (let depth = 0; here.cause !== null; depth += 1) {
        expect(depth, nameOf(entry)).toBeLessThan(20);
        const cause = byName.get(nameOf(here.cause));
        expect(cause, `${nameOf(here)} names ${nameOf(here.cause)}`).toBeDefined();
        here = cause ?? here;
      }
      roots.add(here.kind);
    }
    // A change by hand is a request of its own; a stay is entered by hand.
    expect([...roots].filter((kind) => !['request', 'reservation', 'change'].includes(kind))).toEqual([]);
  });

  it('says every entry in a sentence', async () => {
    for (const { sentence, kind } of await ofStay(stay)) expect(sentence, kind).toMatch(/^\S.*\.$/);
  });
});

describe('why', () => {
  const find = (entries: readonly Entry[], kind: string, fits: (entry: Entry) => boolean = () => true): Entry => {
    const found = entries.find((entry) => entry.kind === kind && fits(entry));
    if (!found) throw new Error(`no ${kind}`);
    return found;
  };
  const chainOf = (entries: readonly Entry[], entry: Entry): readonly string[] => {
    const cause = entry.cause && entries.find((one) => nameOf(one) === nameOf(entry.cause ?? entry));
    return [entry.kind, ...(cause ? chainOf(entries, cause) : [])];
  };

  it('a message follows from its step, its saga and who asked', async () => {
    const entries = await ofStay(LIVED);
    const message = find(entries, 'message', ({ details }) => details.event === 'RESERVATION_CONFIRMED');
    expect(chainOf(entries, message)).toEqual(['message', 'step', 'saga', 'request']);
    expect(find(entries, 'request').details).toMatchObject({ actor: 'admin-1', saga: 'confirmReservation' });
    expect(find(entries, 'request').details.requestId).toMatch(/^request-/);
  });

  it('a state follows from the step that brought it about, and stands after it', async () => {
    for (const [stay, states] of [
      [LIVED, ['CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT']],
      [CANCELLED, ['CONFIRMED', 'CANCELLED']],
    ] as const) {
      const entries = await ofStay(stay);
      expect(entries.filter(({ kind }) => kind === 'state').map(({ details }) => details.status)).toEqual(states);
      for (const entry of entries.filter(({ kind }) => kind === 'state')) {
        expect(chainOf(entries, entry)).toEqual(['state', 'step', 'saga', 'request']);
      }
    }
  });

  it('an effect of a step stands after the step', async () => {
    const entries = await ofStay(LIVED);
    const at = (entry: Entry | { readonly kind: string; readonly id: string }) =>
      entries.findIndex((one) => nameOf(one) === nameOf(entry));
    for (const entry of entries.filter(({ cause }) => cause?.kind === 'step')) {
      expect(at(entry.cause ?? entry), nameOf(entry)).toBeLessThan(at(entry));
    }
  });

  it('a task has the scores by which it was given', async () => {
    const { details, sentence } = find(await ofStay(LIVED), 'task', ({ details: task }) => task.type === 'CLEANING');
    expect(details.assignment.explanation.candidates.map(({ staffId }: { staffId: string }) => staffId)).toEqual([
      PEOPLE.cleaner,
    ]);
    expect(sentence).toContain('Pre-arrival cleaning');
  });

  it('a share has its percent and the version of the terms, a refund the rule of the policy', async () => {
    const [lived, cancelled] = [await ofStay(LIVED), await ofStay(CANCELLED)];
    const rules = lived
      .filter(({ kind, details }) => kind === 'transaction' && details.rule !== null)
      .map(({ details: { type, rule } }) => [type, rule.name, rule.percent, rule.version]);
    expect(rules.toSorted()).toEqual([
      ['AGENCY_FEE', 'AGENCY_SHARE', 25, 1],
      ['GATEWAY_FEE', 'GATEWAY_FEE', null, 1],
      ['OWNER_PAYOUT', 'OWNER_SHARE', 70, 1],
      ['REFERRAL_FEE', 'REFERRAL_SHARE', 5, 1],
    ]);
    const refund = find(cancelled, 'transaction', ({ details }) => details.type === 'REFUND');
    expect(refund.details.rule).toMatchObject({ name: 'DAYS_7_PLUS', percent: 100 });
    expect(refund.sentence).toBe('REFUND of 1000 AED is COMPLETED: 100 % by DAYS_7_PLUS of version 1 of the terms.');
    expect(
      chainOf(
        cancelled,
        find(cancelled, 'saga', ({ details }) => details.name === 'executeRefund'),
      ),
    ).toEqual(['saga', 'transaction', 'step', 'saga', 'request']);
  });

  it('a message that did not go says why not, a failed step its code, and the end of its saga names it', async () => {
    const entries = await ofStay(CANCELLED);
    const skipped = find(entries, 'message', ({ details }) => details.status === 'SKIPPED');
    expect(skipped.sentence).toContain('RESERVATION_CANCELLED');
    const failed = find(entries, 'step', ({ details }) => details.status === 'failed');
    expect(failed.sentence).toBe('validatePayment of processPayment failed: ALREADY_PAID.');
    const end = find(entries, 'outcome', ({ details }) => details.status === 'compensated');
    expect(end.cause).toEqual({ kind: 'step', id: failed.id });
  });

  it('access follows from check-in and check-out', async () => {
    const entries = await ofStay(LIVED);
    const accesses = entries.filter(({ kind }) => kind === 'access');
    expect(accesses.map(({ details }) => details.change)).toEqual(['GRANTED', 'REVOKED']);
    expect(accesses.map((entry) => chainOf(entries, entry))).toEqual([
      ['access', 'step', 'saga', 'request'],
      ['access', 'step', 'saga', 'request'],
    ]);
  });

  it('an event says how far each webhook is', async () => {
    const { details } = find(await ofStay(LIVED), 'event');
    expect(details.webhooks).toEqual([
      { endpointId: 'webhook-h', status: 'PASSED', failedAttempts: 0, nextAttemptAt: null },
    ]);
  });

  it('an event that a webhook does not take is the one that is retried, whatever lies before it that it does not want', async () => {
    const events = (await ofStay(LIVED)).filter(({ kind }) => kind === 'event');
    const wanted = events.filter(({ details: { type } }) => type.startsWith('task.'));
    const [tried] = wanted;
    expect([events[0]?.id === tried?.id, wanted.length > 1]).toEqual([false, true]);
    await sql`INSERT INTO webhook_endpoint (id, url, types, secret, next_seq, attempt, next_attempt_at, created_by, created_at)
      VALUES ('webhook-picky', 'https://crm.example/picky', '{task.*}', 'whsec_c2VjcmV0', 1, 2, '2090-01-01T00:00:00Z', 'admin-1', '2000-01-01')`.execute(
      system.db,
    );
    await sql`INSERT INTO webhook_attempt (endpoint_id, seq, type, attempt, status_code, ms) SELECT 'webhook-picky', ${tried?.details.seq}::bigint, 'x', n, 503, 1
      FROM generate_series(1, 2) n`.execute(system.db);
    const told = (await ofStay(LIVED))
      .filter(({ kind }) => kind === 'event')
      .flatMap(({ id, details }) =>
        details.webhooks
          .filter(({ endpointId }: { endpointId: string }) => endpointId === 'webhook-picky')
          .map((one: { readonly status: string }) => ({ id, ...one })),
      );
    expect(told.map(({ id, status }) => [id, status])).toEqual(
      wanted.map(({ id }) => [id, id === tried?.id ? 'RETRYING' : 'WAITING']),
    );
    expect(told[0]).toMatchObject({ failedAttempts: 2, nextAttemptAt: '2090-01-01T00:00:00.000Z' });
    await sql`DELETE FROM webhook_endpoint WHERE id = 'webhook-picky'`.execute(system.db);
  });
});

describe('who sees what', () => {
  const kindsOf = (entries: readonly Entry[]) => [...new Set(entries.map(({ kind }) => kind))].toSorted();

  it('each role sees the kinds that it may list, with causes among them', async () => {
    const seen: Record<string, readonly string[]> = {};
    for (const [role, sub] of [
      ['AGENT', PEOPLE.agent],
      ['FINANCE', 'finance-1'],
      ['OWNER', PEOPLE.owner],
      ['OPS', 'ops-1'],
    ] as const) {
      const entries = await ofStay(LIVED, 100, { role, sub });
      seen[role] = kindsOf(entries);
      const names = new Set(entries.map(nameOf));
      for (const { cause } of entries) if (cause) expect(names).toContain(nameOf(cause));
    }
    const process = ['outcome', 'request', 'saga', 'step'];
    expect(seen).toEqual({
      AGENT: [
        'access',
        'message',
        ...process.slice(0, 1),
        'payment',
        'request',
        'reservation',
        'saga',
        'state',
        'step',
        'task',
        'transaction',
      ],
      FINANCE: ['access', 'outcome', 'payment', 'request', 'reservation', 'saga', 'state', 'step', 'transaction'],
      OWNER: ['reservation', 'state', 'task'],
      OPS: ['change', 'event', 'message', ...process].toSorted(),
    });
  });

  it('operators read neither a name nor an amount, an owner nothing of the guest', async () => {
    const ops = JSON.stringify(await ofStay(LIVED, 100, { role: 'OPS', sub: 'ops-1' }));
    expect(ops).not.toContain('John');
    expect(ops).not.toMatch(/"\w*(?:[aA]mount|outstanding|Minor)\w*":\d/);
    const owner = JSON.stringify(await ofStay(LIVED, 100, { role: 'OWNER', sub: PEOPLE.owner }));
    for (const secret of ['John', 'guest-life', '"assignment":{']) expect(owner).not.toContain(secret);
  });

  it('a foreign stay is as absent as one that does not exist, and a cleaner has no timeline', async () => {
    const statusOf = async (path: string, role: Role, sub: string) =>
      (await system.call('GET', `/${path}`, { role, sub })).status;
    for (const [role, sub] of [
      ['AGENT', 'agent-9'],
      ['OWNER', 'owner-9'],
    ] as const) {
      expect(await statusOf(`reservations/${LIVED}/timeline`, role, sub)).toBe(404);
      expect(await statusOf(`properties/${PEOPLE.property}/timeline`, role, sub)).toBe(404);
    }
    expect(await statusOf(`owners/${PEOPLE.owner}/timeline`, 'AGENT', 'agent-9')).toBe(404);
    expect(await statusOf('reservations/nothing/timeline', 'ADMIN', 'admin-1')).toBe(404);
    expect(await statusOf('reservations/nothing/timeline', 'OPS', 'ops-1')).toBe(404);
    expect(await statusOf(`reservations/${LIVED}/timeline`, 'CLEANER', PEOPLE.cleaner)).toBe(403);
    expect(await statusOf(`reservations/${LIVED}/timeline?forecast=true`, 'OWNER', PEOPLE.owner)).toBe(403);
  });
});

describe('the timelines of a property, an owner and a member of staff', () => {
  it('have their records once each, over pages of every size, and causes among them', async () => {
    const expected = {
      [`properties/${PEOPLE.property}`]: ['message', 'request', 'reservation', 'saga', 'task', 'transaction'],
      [`owners/${PEOPLE.owner}`]: ['message', 'transaction'],
      [`staff/${PEOPLE.cleaner}`]: ['message', 'task'],
    };
    for (const [path, kinds] of Object.entries(expected)) {
      const entries = await walk(`${path}/timeline`);
      expect([...new Set(entries.map(({ kind }) => kind))].toSorted(), path).toEqual(kinds);
      expect(await walk(`${path}/timeline`, 7), path).toEqual(entries);
      const names = new Set(entries.map(nameOf));
      expect(names.size).toBe(entries.length);
      for (const { cause } of entries) if (cause) expect(names).toContain(nameOf(cause));
    }
  });

  it('are, for an agent, those of the portfolio', async () => {
    const agent = { role: 'AGENT', sub: PEOPLE.agent } as const;
    for (const path of [`owners/${PEOPLE.owner}`, `staff/${PEOPLE.cleaner}`]) {
      const all = await walk(`${path}/timeline`);
      const own = await walk(`${path}/timeline`, 3, agent);
      const inPortfolio = all.filter(({ kind }) => kind === 'task' || kind === 'transaction');
      expect(own.filter(({ kind }) => kind !== 'message').map(nameOf), path).toEqual(inPortfolio.map(nameOf));
    }
  });
});

describe('with the forecast', () => {
  it('says what will happen, below a line', async () => {
    const stay = 'stay-ahead';
    await book(system, stay, 20, 22);
    await system.run(`/reservations/${stay}/confirm`);
    await system.run(`/reservations/${stay}/payment`, payment('ref-ahead'));
    const { status, body } = await system.call('GET', `/reservations/${stay}/timeline?forecast=true&limit=1`);
    expect(status).toBe(200);
    const { now, forecast } = body;
    const kinds = new Set(forecast.map(({ kind }: { kind: string }) => kind));
    expect([...kinds].toSorted()).toEqual(['message', 'payout', 'task']);
    const timed = forecast.map(({ at }: { at: string | null }) => at).filter((at: string | null) => at !== null);
    expect(timed).toEqual(timed.toSorted());
    expect(body.data[0].at < now).toBe(true);
    expect((await system.call('GET', `/reservations/${stay}/timeline`)).body.forecast).toBeUndefined();
  });
});
