import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventChanges } from '../../scripts/db/event-changes.ts';
import { EVENT_DATA } from '../../src/domain/events/shapes.ts';
import type { EventSource } from '../../src/domain/events/source.ts';
import { EVENT_SOURCES } from '../../src/domain/events/sources.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

/** The triggers that write events are what `src/domain/events/sources.ts` says, and nothing else writes any. */

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

const namesOf = async (sources: readonly EventSource[]): Promise<readonly string[]> =>
  (await eventChanges(client, sources)).map(({ name }) => name);
/** The list with another entry in the place of a record's. */
const listWith = (resource: string, change: Partial<EventSource>): readonly EventSource[] =>
  EVENT_SOURCES.map((one) => (one.resource === resource ? { ...one, ...change } : one));
const task: EventSource = EVENT_SOURCES[1];

describe('the triggers that write events', () => {
  it('are those of the list (npm run db:events -- <name>)', async () => {
    expect(await namesOf(EVENT_SOURCES)).toEqual([]);
  });

  it('have an entry for every record whose data are documented', () => {
    expect(EVENT_SOURCES.map(({ resource }) => resource).toSorted()).toEqual(Object.keys(EVENT_DATA).toSorted());
  });

  it('name every state that the database allows, and no other', async () => {
    for (const { table, states } of EVENT_SOURCES as readonly EventSource[]) {
      const { rows } = await client.query<{ rule: string }>(
        `SELECT pg_get_constraintdef(oid) AS rule FROM pg_constraint
          WHERE conrelid = $1::regclass AND contype = 'c' AND pg_get_constraintdef(oid) ~ '^CHECK \\(\\(status = ANY'`,
        [table],
      );
      const allowed = [...(rows[0]?.rule ?? '').matchAll(/'(\w+)'::text/g)].map(([, state]) => state);
      expect({ table, states: Object.keys(states ?? {}).toSorted() }).toEqual({ table, states: allowed.toSorted() });
    }
  });

  it('name no event that the entry does not describe, and describe none that cannot happen', () => {
    for (const { resource, events, inserted, states = {}, changes } of EVENT_SOURCES as readonly EventSource[]) {
      const made = [inserted, ...Object.values(states), ...changes.map(({ event }) => event)];
      const named = new Set(made.filter((name) => name !== null && name !== 'BY_STATE'));
      expect({ resource, named: [...named].toSorted() }).toEqual({ resource, named: Object.keys(events).toSorted() });
    }
  });
});

describe('a change of the list without a migration', () => {
  it.each<[string, readonly EventSource[], readonly string[]]>([
    ['a field', listWith('task', { data: { ...task.data, urgency: 'priority' } }), ['function task_events()']],
    [
      'an event',
      listWith('task', { events: { ...task.events, reprioritised: 'More urgent, or less' } }),
      ['constraint known_event_type'],
    ],
    ['a state', listWith('task', { states: { ...task.states, MERGED: null } }), ['function task_events()']],
    [
      'a column',
      listWith('guest', { changes: [{ event: 'updated', columns: ['version', 'locale'] }] }),
      ['trigger events_of_change on guest'],
    ],
    [
      'a record less',
      EVENT_SOURCES.filter(({ resource }) => resource !== 'owner'),
      [
        'trigger events_of_new on owner',
        'trigger events_of_change on owner',
        'function owner_events()',
        'constraint known_event_type',
      ],
    ],
  ])('is seen: %s', async (_what, sources, names) => {
    expect(await namesOf(sources)).toEqual(names);
  });

  it('is seen when the database has a trigger of its own', async () => {
    await client.query(`CREATE FUNCTION sneaky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO domain_event
      (type, resource, resource_id, data) VALUES ('task.updated', 'task', NEW.id, '{}'); RETURN NULL; END $$`);
    expect(await eventChanges(client)).toEqual([{ name: 'function sneaky()', sql: 'DROP FUNCTION sneaky();' }]);
    await client.query('DROP FUNCTION sneaky()');
  });

  it('is made by the statements that it is told with', async () => {
    const sources = listWith('guest', {
      events: { ...EVENT_SOURCES[8].events, moved: 'Lives in another time zone' },
      changes: [
        { event: 'moved', columns: ['time_zone'] },
        { event: 'updated', columns: ['version'] },
      ],
    });
    for (const { sql } of await eventChanges(client, sources)) await client.query(sql);
    expect(await eventChanges(client, sources)).toEqual([]);
    await client.query(`INSERT INTO guest (id, name, email) VALUES ('g-1', 'Nora', 'nora@example.com')`);
    await client.query(`UPDATE guest SET time_zone = 'Asia/Dubai', version = 2 WHERE id = 'g-1'`);
    await client.query(`UPDATE guest SET version = 3 WHERE id = 'g-1'`);
    await client.query(`UPDATE guest SET name = 'Nora' WHERE id = 'g-1'`);
    const { rows } = await client.query(`SELECT type, data FROM domain_event WHERE resource_id = 'g-1' ORDER BY id`);
    expect(rows).toEqual([
      { type: 'guest.created', data: [1] },
      { type: 'guest.moved', data: [2] },
      { type: 'guest.updated', data: [3] },
    ]);
  });
});
