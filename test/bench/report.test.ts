import { describe, expect, it } from 'vitest';
import { functionTable, selfTimes, statementTable } from '../../bench/profile-tables.ts';
import { renderTable } from '../../bench/report.ts';
import type { Alone, Round } from '../../bench/rounds.ts';
import { summary } from '../../bench/summary.ts';

const alone = (cpuMsPerSaga: number | null): Alone => ({
  perSecond: 100,
  cpuMsPerSaga,
  cpuMsPerSagaByProgram: { api: cpuMsPerSaga },
  idle: { p50: 1, p95: 2, p99: null },
  rolledBackPerSecond: 50,
  cpuMsPerRollback: 9,
});
const round = (cpuMsPerSaga: number | null): Round => ({
  ...alone(cpuMsPerSaga),
  atRate: { p50: 1, p95: 2, p99: 3 },
  rollbackIdleP50: 8,
  alone: alone(cpuMsPerSaga),
});

describe('the summary of rounds', () => {
  it('has the median of each figure, by program too', () => {
    const { cpuMsPerSaga, cpuMsPerSagaByProgram, alone: byItself } = summary([round(9), round(5), round(6)]);
    expect({ cpuMsPerSaga, cpuMsPerSagaByProgram, byItself: byItself.cpuMsPerSaga }).toEqual({
      cpuMsPerSaga: 6,
      cpuMsPerSagaByProgram: { api: 6 },
      byItself: 6,
    });
  });

  it('leaves out what a round does not have', () => {
    expect(summary([round(null), round(5)]).cpuMsPerSaga).toBe(5);
    expect(summary([round(null)]).cpuMsPerSaga).toBeNull();
    expect(summary([round(5)]).idle.p99).toBeNull();
  });
});

describe('a table', () => {
  it('is as wide as its widest cells', () => {
    expect(renderTable(['', 'ms'], [['a saga', '5.25']])).toBe(
      ['|        |   ms |', '| ------ | ---- |', '| a saga | 5.25 |'].join('\n'),
    );
  });
});

describe('the statements of a profile', () => {
  const statement = { calls: 200, planMs: 20, execMs: 80, blocks: 2_000, walBytes: 204_800, isTop: true };

  it('are told per unit, the dearest first', () => {
    const table = statementTable(
      [
        { ...statement, execMs: 10, planMs: 0, query: 'SELECT 1' },
        { ...statement, query: 'UPDATE  saga\n  SET status = $1' },
      ],
      100,
      'saga',
    );
    const [dearest, other] = table.split('\n').filter((line) => /UPDATE|SELECT/.test(line));
    expect(dearest?.split('|').map((cell) => cell.trim())).toEqual([
      '',
      'UPDATE saga SET status = $1 > saga',
      '1.000',
      '0.200',
      '2.00',
      '0.500',
      '10',
      '2.00',
      '',
    ]);
    expect(other).toContain('SELECT 1');
  });

  it('are told apart by the tables that they write', () => {
    const query = `WITH due AS (${'SELECT 1 '.repeat(10)}FOR NO KEY UPDATE OF s), t AS (INSERT INTO "task" (id) VALUES (1)
      ON CONFLICT DO UPDATE SET id = 1) UPDATE saga SET status = $1`;
    expect(statementTable([{ ...statement, query }], 100, 'saga')).toContain('SELECT 1 SE > task, saga |');
  });

  it('are added up without what runs within another one', () => {
    const table = statementTable(
      [
        { ...statement, query: 'INSERT INTO task' },
        { ...statement, isTop: false, query: 'INSERT INTO domain_event' },
      ],
      100,
      'saga',
    );
    expect(table).toContain('1.00 ms in all');
    expect(table).toContain('+ INSERT INTO domain_event');
  });
});

describe('the functions of a CPU profile', () => {
  const frame = (functionName: string, url: string, lineNumber: number) => ({ functionName, url, lineNumber });
  const times = selfTimes({
    nodes: [
      { id: 1, callFrame: frame('(idle)', '', -1) },
      { id: 2, callFrame: frame('accept', 'file:///home/app/src/engine/accept.ts', 41) },
      { id: 3, callFrame: frame('', 'file:///home/app/node_modules/pg/lib/client.js', 9) },
      { id: 4, callFrame: frame('accept', 'file:///home/app/src/engine/accept.ts', 41) },
    ],
    samples: [1, 2, 3, 4],
    timeDeltas: [900_000, 2_000, 3_000, 4_000],
  });

  it('add up over everybody who calls them, without waiting', () => {
    expect(times).toEqual([
      { name: 'accept src/engine/accept.ts:42', selfMs: 6 },
      { name: '(anonymous) node_modules/pg/lib/client.js:10', selfMs: 3 },
    ]);
  });

  it('are told with their share', () => {
    expect(functionTable('sagas, api', times)).toMatch(/accept src\/engine\/accept\.ts:42 +\| +6 \| 66\.7 \|/);
  });
});
