import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, faultsOf } from './answers.ts';
import { type Input, makeInput } from './inputs.ts';
import { seeded } from './random.ts';
import { faultsOfBytes } from './sockets.ts';
import { type Field, startField } from './subjects.ts';
import { oddValues } from './values.ts';
import { findWriters, tablesOf } from './writes.ts';

/** The judges of the fuzz tests see what they are there for; a seed makes the same inputs again. */

let field: Field;
beforeAll(async () => {
  field = await startField();
}, 60_000);
afterAll(() => field?.stop());

const PATH = '/api/production/owners/nobody';
const input: Input = { route: '', caller: 'ADMIN', method: 'GET', target: PATH, headers: {}, body: null };
const SECRET = 'a-new-secret-of-forty-characters-0123456';
async function real(path = PATH): Promise<Answer> {
  const { status, headers, text } = await field.http.call('GET', path);
  return { status, headers, text };
}

describe('an answer', () => {
  it('is fine as the product gives it, and not when something in it is wrong', async () => {
    const answer = await real();
    const wrong: readonly (readonly [RegExp, Partial<Answer>])[] = [
      [/answers 500/, { status: 500 }],
      [/says how it is made/, { text: answer.text.replace('not found', 'at Object.run (node:x)') }],
      [/holds a secret/, { text: answer.text.replace(/request-[\w-]+/, SECRET) }],
      [/not declared/, { status: 418 }],
      [/envelope/, { text: '{"success":false}' }],
      [/is no JSON/, { text: '<p>' }],
      [/not declared/, { headers: new Headers([...answer.headers, ['x-made-by', 'y']]) }],
      [/headers of every answer/, { headers: new Headers({ 'content-type': 'application/json' }) }],
    ];
    expect(answer.status).toBe(404);
    expect(faultsOf(field, input, answer)).toEqual([]);
    for (const [fault, change] of wrong)
      expect(faultsOf(field, input, { ...answer, ...change }).join(), String(fault)).toMatch(fault);
  });

  it('over a socket is judged as well', () => {
    const bytes = { kind: 'x', parts: [], leaves: false, maxAnswers: 1 };
    const ok = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nok\n';
    const refusal = (body: string) => `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n\r\n${body}`;
    const faults = (text: string): string => faultsOfBytes(field, bytes, text).faults.join();
    expect([faults(ok), faults(''), faults(refusal('{"success":false,"code":"X"}'))]).toEqual(['', '', '']);
    expect(faults(`${ok}${ok}`)).toMatch(/answers 2 times/);
    expect(faults(ok.replace('200', '502'))).toMatch(/answers 502/);
    expect(faults(refusal('{}'))).toMatch(/envelope/);
    expect(faults('hello')).toMatch(/is no answer/);
  });
});

describe('a write of what is refused', () => {
  it('is found among many, and not where it was accepted', async () => {
    const { db } = field.http;
    let times = 0;
    const write = (): Promise<unknown> => {
      times += 1;
      return db
        .updateTable('guest')
        .set({ name: `Name ${times}` })
        .where('id', '=', 'guest-1')
        .execute();
    };
    const send = (refuses: boolean) => async (some: readonly number[]) => {
      for (const n of some) if (n === 7 || n === 42) await write();
      return refuses;
    };
    const all = Array.from({ length: 60 }, (_none, n) => n);
    const tables = await tablesOf(db);
    expect(await findWriters(db, tables, all, send(true))).toEqual([
      { input: 7, tables: ['guest', 'guest_word'] },
      { input: 42, tables: ['guest', 'guest_word'] },
    ]);
    expect(await findWriters(db, tables, all, send(false))).toEqual([]);
    expect(tables.filter((name) => name.startsWith('audit'))).toEqual([]);
    expect(tables.length).toBeGreaterThan(50);
  });
});

describe('a seed', () => {
  it('makes the same inputs again, and another one others', () => {
    const made = (seed: number) => {
      const making = { random: seeded(seed), values: oddValues(seed), field };
      const inputs = Array.from({ length: 200 }, () => makeInput(making, () => ['limit']));
      return JSON.stringify(inputs.map((one) => ({ ...one, body: one.body?.toString('base64') })));
    };
    const [once, again] = [made(5), made(5)];
    expect(once === again).toBe(true);
    expect(once === made(6)).toBe(false);
  });
});
