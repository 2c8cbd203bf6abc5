import { describe, expect, it } from 'vitest';
import { createDb, createPool } from './client.ts';
import { batchLimit, literal, literals } from './literal.ts';
import type { TaskStatus } from './schema.ts';

/** Never connects. */
const db = createDb(
  createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/none', max: 1, applicationName: 'test' }),
);

describe('a literal', () => {
  it('stands in the text of the statement, and takes no parameter', () => {
    const status: TaskStatus = 'ASSIGNED';
    const query = db
      .selectFrom('task')
      .select('id')
      .where('status', '=', literal(status))
      .where('type', 'in', literals(['CLEANING', 'EMERGENCY']))
      .compile();
    expect(query.sql).toBe(
      `select "id" from "task" where "status" = 'ASSIGNED' and "type" in ('CLEANING', 'EMERGENCY')`,
    );
    expect(query.parameters).toEqual([]);
  });

  it('is refused to text that is not known when the code is compiled', () => {
    const given: string = JSON.parse('"ASSIGNED"');
    // @ts-expect-error A string from outside is no constant.
    literal(given);
    // @ts-expect-error Nor is a number.
    literal(given.length);
    // @ts-expect-error Nor are many strings.
    literals([given]);
  });

  it('is refused where a cast has passed the types by', () => {
    expect(() => literal(JSON.parse(`"a' OR true --"`) as 'ASSIGNED')).toThrow(TypeError);
  });
});

describe('the limit of a batch', () => {
  it('stands in the text of the statement', () => {
    const query = db.selectFrom('task').select('id').limit(batchLimit(100)).compile();
    expect(query.sql).toBe('select "id" from "task" limit 100');
    expect(query.parameters).toEqual([]);
  });

  it.each([-1, 0.5, 10_001, Number.NaN])('is refused when it is no size of a batch: %s', (rows) => {
    expect(() => batchLimit(rows)).toThrow(TypeError);
  });
});
