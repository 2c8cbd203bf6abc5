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
