import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { listTransactions } from '../../src/domain/finance/resource.ts';
import { listNotifications } from '../../src/domain/messages/resource.ts';
import { listGuests } from '../../src/domain/people/guests.ts';
import { listReservations } from '../../src/domain/reservations/resource.ts';
import { listTasks } from '../../src/domain/tasks/resource.ts';
import { countSagas, listSagas } from '../../src/engine/read/executions.ts';
import { executionsOf } from '../../src/http/portfolio.ts';
import { createTestDatabase } from '../setup/database.ts';

/** The lists of an agent go by the property that a row has: it follows the stay, whatever is done to that. */

let db: Db;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'portfolio-lists' }));
  drop = database.drop;
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await drop?.();
});

let n = 0;
let stay: string;
let guest: string;
const [ofA, ofB] = ['agent-a', 'agent-b'];
beforeEach(async () => {
  n += 1;
  stay = `stay-${n}`;
  guest = `guest-${n}`;
  const email = 'x@x.example';
  await sql`INSERT INTO owner (id, name, email) VALUES ('owner-1', 'O', ${email}) ON CONFLICT DO NOTHING`.execute(db);
  await sql`INSERT INTO property (id, name, owner_id, agent_ids)
    VALUES (${`a-${n}`}, 'A', 'owner-1', '{agent-a,agent-c}'), (${`b-${n}`}, 'B', 'owner-1', '{agent-b,agent-c}')`.execute(
    db,
  );
  await sql`INSERT INTO staff (id, name, email, role) VALUES ('agent-w', 'W', ${email}, 'AGENT') ON CONFLICT DO NOTHING`.execute(
    db,
  );
  await db.insertInto('guest').values({ id: guest, name: 'G', email }).execute();
});

async function book(): Promise<void> {
  await sql`INSERT INTO reservation (id, property_id, guest_id, check_in_date, check_out_date, total_minor, currency, created_by)
    VALUES (${stay}, ${`a-${n}`}, ${guest}, '2090-01-01', '2090-01-03', 100, 'AED', 'test')`.execute(db);
  await sql`INSERT INTO transaction (id, type, status, reservation_id, amount_minor, outstanding_minor, currency)
    VALUES (${`transaction-${n}`}, 'GUEST_PAYMENT', 'PENDING', ${stay}, 100, 100, 'AED')`.execute(db);
  for (const [id, type, subject] of [
    [`saga-${n}`, 'reservation', stay],
    [`saga-t-${n}`, 'transaction', `transaction-${n}`],
  ])
    await sql`INSERT INTO saga (id, name, definition_ver, subject_type, subject_id, input, input_hash, requested_by, total_steps, deadline_at, status, finished_at, response_status, response_body)
      VALUES (${id}, 'confirmReservation', 1, ${type}, ${subject}, '{}', '', 'admin-1', 3, now(), 'compensated', now(), 409, '')`.execute(
      db,
    );
  await sql`INSERT INTO notification (id, effect_key, reservation_id, event, template, channel, recipient_type, recipient_id)
    VALUES (${`message-${n}`}, ${`message-${n}`}, ${stay}, 'NEW_RESERVATION', 't@1', 'EMAIL', 'GUEST', ${guest})`.execute(
    db,
  );
}

const page = { after: null, limit: 50 };
const reader = { stepsOf: () => null, seesCauses: false, detailsFor: () => undefined };
/** Of this test's rows, those that an agent sees in each list. */
async function seenBy(agentId: string): Promise<readonly string[]> {
  const lists = [
    await listReservations(db, {}, { agentId }, page),
    await listTransactions(db, { kind: 'PORTFOLIO', agentId }, {}, page),
    await listNotifications(db, {}, agentId, page),
    await listGuests(db, agentId, page),
    await listSagas(db, { part: executionsOf(agentId), startedBy: null }, page, reader),
  ];
  return lists
    .flatMap(({ items }) => items.map(({ id }) => id))
    .filter((id) => id.endsWith(`-${n}`))
    .toSorted();
}
const everything = () => [guest, `message-${n}`, `saga-${n}`, `saga-t-${n}`, stay, `transaction-${n}`];

it('everything about a stay is seen by the agents of its property, each row once', async () => {
  await book();
  expect(await seenBy(ofA)).toEqual(everything().toSorted());
  expect(await seenBy(ofB)).toEqual([]);
  expect(await seenBy('agent-c')).toEqual(everything().toSorted());
  expect((await countSagas(db, { part: executionsOf(ofB), startedBy: null })).compensated).toBe(0);
  expect((await countSagas(db, { part: executionsOf(ofA), startedBy: null, reservationId: stay })).compensated).toBe(1);
});

it('it goes with the stay to another property, what has ended too', async () => {
  await book();
  await sql`UPDATE reservation SET property_id = ${`b-${n}`} WHERE id = ${stay}`.execute(db);
  expect(await seenBy(ofA)).toEqual([]);
  expect(await seenBy(ofB)).toEqual(everything().toSorted());
});

it('nothing else of a saga that has ended changes with it', async () => {
  await book();
  const change = sql`UPDATE saga SET property_id = 'x', status = 'completed' WHERE id = ${`saga-${n}`}`.execute(db);
  await expect(change).rejects.toThrow(/only the property/);
  await expect(sql`UPDATE saga SET notes = 'x' WHERE id = ${`saga-${n}`}`.execute(db)).rejects.toThrow(/is terminal/);
});

it('a guest without a stay is seen by who has added the guest alone, and again when the stay is another guest’s', async () => {
  await db.updateTable('guest').set({ created_by: ofB }).where('id', '=', guest).execute();
  expect([await seenBy(ofA), await seenBy(ofB)]).toEqual([[], [guest]]);
  await book();
  expect(await seenBy(ofB)).toEqual([guest]);
  expect(await seenBy(ofA)).toContain(guest);
  await db
    .insertInto('guest')
    .values({ id: `guest-other-${n}`, name: 'H', email: 'h@x.example' })
    .execute();
  await sql`UPDATE reservation SET guest_id = ${`guest-other-${n}`} WHERE id = ${stay}`.execute(db);
  expect(await seenBy(ofB)).toEqual([guest]);
  expect(await seenBy(ofA)).not.toContain(guest);
  expect(await seenBy(ofA)).toContain(`guest-other-${n}`);
});

it('an agent sees its own tasks wherever they are, once, and pages through all of them', async () => {
  await book();
  const tasks = [
    [`task-1-${n}`, `a-${n}`, null],
    [`task-2-${n}`, `a-${n}`, 'agent-w'],
    [`task-3-${n}`, `b-${n}`, 'agent-w'],
    [`task-4-${n}`, `b-${n}`, null],
  ] as const;
  for (const [hours, [id, place, assignee]] of tasks.entries())
    await sql`INSERT INTO task (id, property_id, type, occurrence, title, status, scheduled_at, ends_at, assignee_id)
      VALUES (${id}, ${place}, 'CLEANING', 'MANUAL', 'T', ${assignee === null ? 'UNASSIGNED' : 'ASSIGNED'}, now() + ${hours}::int * interval '1 hour', now() + ${hours}::int * interval '1 hour' + interval '30 minutes',
        ${assignee})`.execute(db);
  await sql`UPDATE property SET agent_ids = agent_ids || '{agent-w}'::text[] WHERE id = ${`a-${n}`}`.execute(db);
  const ids: string[] = [];
  for (let after = null as Parameters<typeof listTasks>[3]['after'], more = true; more; more = after !== null) {
    const { items, next } = await listTasks(db, {}, { agentId: 'agent-w' }, { after, limit: 1 });
    ids.push(...items.map(({ id }) => id));
    after = next;
  }
  expect(ids.toSorted()).toEqual([1, 2, 3].map((no) => `task-${no}-${n}`));
});
