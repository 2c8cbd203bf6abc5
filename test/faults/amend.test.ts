import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { StepDefinition } from '../../src/engine/step.ts';
import { createStateLoader } from '../../src/engine/store/load.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { drained, finishByHand, restOf, type TestProcess } from '../setup/engine.ts';
import { fixtureOf } from './every-saga.ts';
import { expectInvariants } from './invariants.ts';
import { type Lab, openLab, type SagaFixture } from './lab.ts';
import { restAfterFailing } from './scenarios.ts';
import { ranOf } from './verify.ts';
import { FORWARD_ATTEMPTS } from './with-fault.ts';

/** A person amends the input of a parked saga: of every saga, every field that may be amended and none that may not. */

const WITHIN_MS = 180_000;
/** A new value of each field that some definition lets people amend, and such as are none. */
const VALUES: Readonly<Record<string, { readonly good: string; readonly bad: readonly (string | number)[] }>> = {
  'cancelReservation.reason': { good: 'GUEST_REQUEST', bad: [7] },
  'changeAccess.until': {
    good: '2031-02-03T09:00:00Z',
    bad: ['tomorrow', '2031-02-03T10:00:00Z', '2024-02-03T09:00:00Z'],
  },
};
const amendableOf = ({ name, amendable }: SagaDefinition): string[] =>
  Object.keys(amendable ?? {}).map((field) => `${name}.${field}`);

describe.each(DEFINITIONS.map((definition) => [`${definition.name}@${definition.version}`, definition] as const))(
  'amending the input of %s',
  (_name, definition) => {
    let lab: Lab;
    let fixture: SagaFixture;
    let heirs: readonly [TestProcess, TestProcess];
    beforeAll(async () => {
      fixture = await fixtureOf(definition);
      lab = await openLab(definition, fixture);
      const prefix = lab.bed.newPrefix();
      heirs = [await lab.bed.start({ prefix }), await lab.bed.start({ prefix })];
    }, 60_000);
    afterAll(() => lab?.close(), 60_000);

    it('is read by the steps that run behind it, and leaves the request as it was', {
      timeout: WITHIN_MS,
    }, async () => {
      const parking = definition.steps.filter((step) => restAfterFailing(definition, step, 'breaks') === 'parked');
      for (const step of parking) await isAmended(lab, fixture, heirs, step);
      if (parking.length === 0) expect(definition.amendable).toBeUndefined();
    });

    it('is refused where it is not parked', { timeout: WITHIN_MS }, async () => {
      const saga = await lab.begin([], { by: 'hand' });
      const refused = amend(heirs[0], saga.id, { reason: 'x' });
      await expect(refused).rejects.toMatchObject({ code: 'SAGA_NOT_PARKED' });
      await saga.walkToEnd();
      await saga.verify();
    });
  },
);

it('has a value to try for every field', () => {
  expect(Object.keys(VALUES).toSorted()).toEqual([...new Set(DEFINITIONS.flatMap(amendableOf))].toSorted());
});

async function isAmended(
  lab: Lab,
  fixture: SagaFixture,
  heirs: readonly [TestProcess, TestProcess],
  step: StepDefinition,
): Promise<void> {
  const { bed, definition } = lab;
  const { db } = bed;
  const saga = await lab.begin([{ step: step.no, direction: 'F', mode: 'breaks', times: FORWARD_ATTEMPTS }]);
  await saga.rests('parked');
  const before = await rowOf(lab, saga.id);
  const fields = amendableOf(definition).map((name) => name.split('.')[1] ?? '');
  for (const field of [...Object.keys(before.input), 'noSuchField', 'constructor'].filter(
    (name) => !fields.includes(name),
  )) {
    const refused = amend(heirs[0], saga.id, { [field]: 'x' });
    await expect(refused, field).rejects.toMatchObject({ code: 'VALIDATION_FAILED', details: { known: fields } });
  }
  if (fields.length === 0) {
    await saga.isRetriedTo('completed');
    return saga.verify();
  }
  for (const field of fields) {
    for (const bad of VALUES[`${definition.name}.${field}`]?.bad ?? []) {
      const refused = amend(heirs[0], saga.id, { [field]: bad });
      await expect(refused, `${field} ${bad}`).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    }
  }
  const amended = Object.fromEntries(fields.map((field) => [field, VALUES[`${definition.name}.${field}`]?.good]));

  // Its orders stay in Postgres, and whoever takes over knows nothing of it.
  await amend(lab.racers[0], saga.id, amended);
  await db
    .updateTable('saga')
    .set({ next_check_at: new Date(0) })
    .where('id', '=', saga.id)
    .execute();
  await Promise.all(heirs.map(({ engine }) => engine.reconciler.tick()));
  expect(await restOf(db, saga.id), step.name).toBe('completed');

  const after = await rowOf(lab, saga.id);
  expect([after.input, after.input_hash]).toEqual([before.input, before.input_hash]);
  const state = await createStateLoader(db)(saga.id);
  expect(state).toMatchObject({ input: { ...before.input, ...amended }, amendments: 1 });
  await expectRead(lab, saga.id, step);
  const rows = await db.selectFrom('saga_amendment').selectAll().where('saga_id', '=', saga.id).execute();
  expect(rows).toEqual([
    expect.objectContaining({ no: 1, step_no: step.no, fields: amended, amended_by: 'olivia', reason: 'It was wrong' }),
  ]);
  const audited = await db
    .selectFrom('audit_log')
    .select(['event', 'actor'])
    .where('stream_id', '=', saga.id)
    .where('event', 'in', ['SAGA_AMENDED', 'SAGA_RESUMED'])
    .orderBy('seq')
    .execute();
  expect(audited).toEqual([
    { event: 'SAGA_AMENDED', actor: 'olivia' },
    { event: 'SAGA_RESUMED', actor: 'olivia' },
  ]);
  await drained(db, saga.id);
  const ran = ranOf(definition, saga.id, after.subject_id);
  for (const follower of (await fixture.follows?.(db, ran)) ?? []) await finishByHand(bed, heirs[0], follower);
  await expectInvariants(db, [saga.id, after.subject_id]);
}

/** What the step at which it was parked, or one behind it, has made of the new value; a step before it had the old one. */
async function expectRead({ bed: { db }, definition }: Lab, sagaId: string, parked: StepDefinition): Promise<void> {
  const { subject_id, input } = await db
    .selectFrom('saga')
    .selectAll()
    .where('id', '=', sagaId)
    .executeTakeFirstOrThrow();
  const isAhead = (name: string): boolean =>
    (definition.steps.find((step) => step.name === name)?.no ?? 0) >= parked.no;
  if (definition.name === 'cancelReservation') {
    const stay = await db.selectFrom('reservation').selectAll().where('id', '=', subject_id).executeTakeFirstOrThrow();
    const isRead = JSON.stringify(stay).includes('GUEST_REQUEST');
    expect(isRead).toBe(isAhead('updateReservationStatus'));
  } else {
    const grant = await db
      .selectFrom('amenity_grant')
      .select('valid_until')
      .where('reservation_id', '=', subject_id)
      .executeTakeFirstOrThrow();
    const until = isAhead('changeAccessPeriod') ? '2031-02-03T09:00:00Z' : Object(input)['until'];
    expect(grant.valid_until).toEqual(new Date(until));
  }
}

const rowOf = ({ bed }: Lab, sagaId: string) =>
  bed.db.selectFrom('saga').selectAll().where('id', '=', sagaId).executeTakeFirstOrThrow();

/** Without the announcement: the orders stay in Postgres. */
async function amend(
  { db, engine }: TestProcess,
  sagaId: string,
  input: Readonly<Record<string, unknown>>,
): Promise<void> {
  const person = { by: 'olivia', requestId: 'amend-1', via: 'api', reason: 'It was wrong' } as const;
  await db.transaction().execute((tx) => engine.orchestrator.amendWithin(tx, { sagaId, input, ...person }));
}
