import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allStatements } from '../../scripts/sql/statements.ts';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { PARTITIONED } from '../../src/db/partitions.ts';
import { compileTurn } from '../../src/engine/store/turn.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { prunedUnderLock } from '../setup/pruned-locks.ts';
import { isOfInterest } from '../setup/statements-heard.ts';

/**
 * No statement that locks rows chooses partitions by a value that comes up while it runs: Postgres 18 may crash, or answer wrongly,
 * when a row was changed meanwhile (guarantees.md 2.4). What all other tests send is looked at when they have run.
 */
let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 1, applicationName: 'test' }));
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});

const STEPS = "SELECT max(t.step_no) FROM saga_step t WHERE t.direction = 'F' AND t.saga_id";

const DANGEROUS: Readonly<Record<string, string>> = {
  'a lock, and a subquery of the answer above it': `UPDATE saga s SET redispatches = 1
     WHERE s.id IN (SELECT x.id FROM saga x LIMIT 5 FOR UPDATE SKIP LOCKED) RETURNING s.id, (${STEPS} = s.id)`,
  'an update, and a subquery of what it writes': `UPDATE saga s SET current_step = (${STEPS} = s.id) WHERE s.id = $1`,
  'an update, and a subquery of its condition': `UPDATE saga s SET redispatches = 1 WHERE (${STEPS} = s.id) = 2`,
  'an update that joins them':
    'UPDATE saga s SET redispatches = 1 FROM saga_step t WHERE t.saga_id = s.id AND t.step_no = 1',
  'an update of them': `WITH due AS (SELECT unnest($1::text[]) AS id)
     UPDATE saga_step t SET attempt = 1 FROM due WHERE t.saga_id = due.id AND t.step_no = 1`,
  'a delete of what is found': 'DELETE FROM domain_event e WHERE e.id IN (SELECT p.event_id FROM event_run p LIMIT 5)',
  'a merge': `MERGE INTO saga s USING (SELECT unnest($1::text[]) AS id) d ON d.id = s.id
     WHEN MATCHED THEN UPDATE SET current_step = (${STEPS} = s.id)`,
  'an update in one WITH, and an insert that reads them in another': `
     WITH gone AS (UPDATE saga SET redispatches = 1 RETURNING id),
     made AS (INSERT INTO outbox (kind, dedupe_key, saga_id, payload)
       SELECT 'FLOW_C', gone.id, gone.id, '{}' FROM gone JOIN saga_step f ON f.saga_id = gone.id)
     SELECT 1`,
  'an update in a WITH, and a subquery of the whole': `
     WITH gone AS (UPDATE saga SET redispatches = 1 RETURNING id) SELECT (${STEPS} = gone.id) FROM gone`,
  'a lock for share, and a subquery': `SELECT s.id, (${STEPS} = s.id) FROM saga s FOR SHARE`,
  'a range that begins where the row says':
    'UPDATE event_feed f SET next_id = (SELECT count(*) FROM domain_event e WHERE e.id >= f.from_id)',
};

const HARMLESS: Readonly<Record<string, string>> = {
  'a choice by a parameter': `UPDATE saga s SET current_step = (${STEPS} = $1) WHERE s.id = $1`,
  'an update of a partitioned table by a parameter': 'UPDATE saga_step SET attempt = 1 WHERE saga_id = $1',
  'a delete of everything': 'DELETE FROM dev_mail',
  'nothing that is locked': `SELECT s.id, (${STEPS} = s.id) FROM saga s`,
  'an insert that does nothing or writes over': `
     INSERT INTO saga_step AS t (saga_id, step_no, direction, name, kind, class, max_attempts)
     SELECT f.saga_id, 1, 'C', 'x', 'LOCAL', 'PIVOT', 1 FROM saga s JOIN saga_step f ON f.saga_id = s.id
     ON CONFLICT (saga_id, step_no, direction) DO UPDATE SET attempt = t.attempt + 1`,
  'a look at every partition': `
     WITH gone AS (UPDATE saga SET redispatches = 1 RETURNING id)
     SELECT (${STEPS} = ANY (array_append('{}'::text[], gone.id))) FROM gone`,
};

describe('the look at plans', () => {
  it('is of single statements that lock rows and name a partitioned table, not one of its partitions', () => {
    const others = [
      'UPDATE saga SET a = 1',
      'DELETE FROM saga_step_open',
      'SELECT FROM saga_step',
      'DELETE FROM saga_step; SELECT 1',
    ];
    expect(others.filter(isOfInterest)).toEqual([]);
  });

  it.each(Object.entries(DANGEROUS))('finds %s', async (_what, text) => {
    expect(isOfInterest(text)).toBe(true);
    expect(await prunedUnderLock(database.url, [text])).toHaveLength(1);
  });

  it.each(Object.entries(HARMLESS))('passes %s', async (_what, text) => {
    expect(await prunedUnderLock(database.url, [text])).toEqual([]);
  });

  it('says so when a statement cannot be planned', async () => {
    const [said] = await prunedUnderLock(database.url, ['SELECT nothing_of_the_kind']);
    expect(said).toMatch(/^cannot be planned .*: SELECT nothing_of_the_kind$/);
  });
});

describe('no partitions are chosen while rows are locked', () => {
  it('by the statement of a step, or by the turn of a saga', async () => {
    const texts = [...allStatements().map((statement) => statement.sql), compileTurn(db).query.sql];
    expect(await prunedUnderLock(database.url, new Set(texts))).toEqual([]);
  });

  it('by functions and triggers: those that read these tables lock nothing', async () => {
    const tables = PARTITIONED.map(({ table }) => table).join('|');
    const adding = new RegExp(`INSERT INTO (?:${tables})\\b`, 'g');
    const { rows } = await sql<{ name: string; body: string }>`
      SELECT proname AS name, prosrc AS body FROM pg_proc WHERE pronamespace = 'public'::regnamespace`.execute(db);
    const locking = rows
      .flatMap(({ name, body }) => body.split(';').map((text) => ({ name, text: text.replaceAll(adding, '') })))
      .filter(({ text }) => new RegExp(`\\b(?:${tables})`).test(text))
      .filter(({ text }) =>
        /\b(?:UPDATE|DELETE|MERGE|FOR (?:NO KEY |KEY )?(?:UPDATE|SHARE))\b/.test(text.replaceAll(/'[^']*'/g, '')),
      );
    expect(locking).toEqual([]);
  });
});
