import type { QueryCreator } from 'kysely';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { FusedDatabase } from '../db/fused.ts';
import { checkDefinition, saga } from './definition.ts';

const begin = () =>
  saga('errand', z.strictObject({}), {
    version: 1,
    subjectType: 'reservation',
    notFound: 'RESERVATION_NOT_FOUND',
  }).read('look', { run: async () => ({}) });
const run = (db: QueryCreator<FusedDatabase>) => db.selectFrom('guard').select('subject_id');
const ending = async () => ({ event: 'ERRAND_DONE', message: '', data: {}, details: {} });

describe('a step that parks without locks', () => {
  const parks = { run: async () => ({}), parksOn: ['APPROVAL_REQUIRED'], parksUnlocked: true } as const;
  it('stands before everything that changes something', () => {
    const first = begin().read('ask', parks).statement('write', { run, compensate: { run } }).ends(ending);
    expect(() => checkDefinition(first)).not.toThrow();
    const late = begin()
      .statement('write', { run, compensate: { run } })
      .read('ask', parks)
      .statement('writeMore', { run, compensate: { run } })
      .ends(ending);
    expect(() => checkDefinition(late)).toThrow('has nothing done yet where ask parks without locks');
  });
});

describe('an effect of a definition', () => {
  it('belongs to the step that follows it, and to no other', () => {
    const { steps, ...definition } = begin()
      .effect('settle', { run })
      .statement('write', { run, compensate: { run } })
      .statement('writeMore', { run, compensate: { run } })
      .ends(ending);
    expect(steps.map(({ name, effects }) => [name, effects.map((effect) => effect.name)])).toEqual([
      ['look', []],
      ['write', ['settle']],
      ['writeMore', []],
    ]);
    expect(() => checkDefinition({ ...definition, steps })).not.toThrow();
  });

  it('is refused before a step that may run without its statement', () => {
    const imperative = { when: () => true, run: async () => ({}) };
    const definition = begin()
      .effect('settle', { run })
      .statement('write', { run, imperative, compensate: { run } })
      .ends(ending);
    expect(() => checkDefinition(definition)).toThrow('makes settle with a step that is always a statement');
  });
});

describe('a step that a person may skip', () => {
  const skippable = { follows: 'Nothing is sent.', instead: async () => ({ count: 0 }) };
  const write = { run, compensate: { run } };
  it('waits for a person, stands behind everything that is undone, and is no point of no return', () => {
    const behind = begin().statement('write', write).retriable().statement('tell', { run, skippable }).ends(ending);
    expect(() => checkDefinition(behind)).not.toThrow();
    const never = begin()
      .statement('write', { ...write, skippable })
      .statement('more', write)
      .ends(ending);
    expect(() => checkDefinition(never)).toThrow('parks at write, which may be skipped');
    expect(() => checkDefinition(never)).toThrow('undoes nothing behind write, which may be skipped');
    const pivot = begin().pivot().statement('tell', { run, onExhausted: 'park', skippable }).ends(ending);
    expect(() => checkDefinition(pivot)).toThrow('does not skip tell, a PIVOT');
  });

  it('is undone without another system where its undo is skipped, and never at the point of no return', () => {
    const undo = {
      run: async () => ({}),
      book: async () => ({}),
      skippable: { ...skippable, instead: async () => ({}) },
    };
    const call = { foresees: 'ports', run: async () => ({}), book: async () => ({}), compensate: undo } as const;
    const before = begin().call('switch', call).retriable().statement('tell', { run }).ends(ending);
    expect(() => checkDefinition(before)).not.toThrow();
    const pivot = begin().pivot().call('switch', call).statement('tell', { run }).ends(ending);
    expect(() => checkDefinition(pivot)).toThrow('skips no undo but of a call before the pivot, as at switch');
  });

  it('need not find its row, and carries no effect of others', () => {
    const finds = begin().retriable().statement('tell', { run, skippable, onNoRow: 'STEP_FAILED' }).ends(ending);
    expect(() => checkDefinition(finds)).toThrow('does not skip tell, which must find its row');
    const carries = begin().retriable().effect('settle', { run }).statement('tell', { run, skippable }).ends(ending);
    expect(() => checkDefinition(carries)).toThrow('does not skip settle with tell');
  });
});
