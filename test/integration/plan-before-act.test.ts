import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readBeginning, readChangeRows, readTouched } from '../../src/domain/stays/change-rows.ts';
import { type Changes, changesBetween, readStanding } from '../../src/domain/stays/changes.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import { rehearseSaga } from '../../src/engine/rehearse.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { keyPrefix } from '../../src/queues/connection.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { fixtureOf } from '../faults/every-saga.ts';
import type { SagaFixture } from '../faults/lab.ts';
import { signal } from '../faults/waits.ts';
import { digestOfEverything } from '../http/valid-requests.ts';
import { errand, runErrand } from '../sagas/errand.ts';
import { patient, patientErrand } from '../sagas/patient-errand.ts';
import {
  createTestbed,
  drained,
  PRINCIPAL,
  restOf,
  type Subject,
  type Testbed,
  type TestProcess,
} from '../setup/engine.ts';
import { changedSince, countingPorts, eveOf, expectSame, PREVIEW } from '../setup/rehearsals.ts';

/** Every saga that there is, rehearsed and then done: by the fixtures of the fault tests, so a new one is tried too. */

const FIXTURES: readonly (readonly [SagaDefinition, () => Promise<SagaFixture>])[] = [
  ...DEFINITIONS.map((definition) => [definition, () => fixtureOf(definition)] as const),
  [runErrand, async () => errand],
  [patientErrand, async () => patient],
];

for (const [definition, fixtureFor] of FIXTURES) {
  describe(`${definition.name}@${definition.version}`, () => {
    let bed: Testbed;
    let process: TestProcess;
    let fixture: SagaFixture;
    let outside: Awaited<ReturnType<NonNullable<SagaFixture['outside']>>> | undefined;
    let asked: () => number;
    let redis: Redis;

    beforeAll(async () => {
      fixture = await fixtureFor();
      outside = await fixture.outside?.();
      bed = await createTestbed([definition, ...(fixture.companions ?? [])], outside?.ports);
      await fixture.prepare(bed.db);
      await fixture.opened?.(bed);
      process = await bed.start({ prefix: bed.newPrefix() });
      redis = new Redis(inject('redisAdminUrl'));
    }, 60_000);
    afterAll(async () => {
      redis?.disconnect();
      await bed?.drop();
      await outside?.close();
    }, 60_000);

    async function plan(subject: Subject) {
      const real = outside?.ports ?? {
        amenities: { activate: never, changePeriod: never, deactivate: never, grantsOf: never },
        gatewayIds: [],
        gateway: never,
        payouts: never,
        amountStep: () => 1,
      };
      const counting = countingPorts(real);
      asked = counting.asked;
      const beginning = await readBeginning(bed.db);
      const known = [definition, ...(fixture.companions ?? []), ...DEFINITIONS];
      const { changes: after, ...rehearsed } = await rehearseSaga(
        {
          db: process.db,
          ports: counting.ports,
          definitionOf: (name, version) => known.find((one) => one.name === name && one.version === version),
          log: createLogger('test', 'silent'),
          asker: PRINCIPAL,
        },
        definition,
        { ...subject, requester: { sub: PRINCIPAL, requestId: null } },
        async (db, ran) => readStanding(db, await readTouched(db, beginning, 'transaction', ran), PREVIEW),
      );
      const changes: Changes = changesBetween(await readChangeRows(bed.db, after.touched), after);
      return { ...rehearsed, changes };
    }
    /** But for the marks by which idle workers take turns. */
    const keysOf = async () =>
      (await redis.keys(`${keyPrefix(process.prefix)}:*`)).filter((key) => !key.endsWith(':stalled-check')).toSorted();

    async function act(subject: Subject): Promise<string> {
      const { sagaId } = await bed.accept(process, definition, subject);
      for (const step of definition.steps) if (step.kind === 'wait') await signal(process, sagaId, step.name);
      await restOf(bed.db, sagaId);
      const { requested_at: since } = await bed.db
        .selectFrom('saga')
        .select('requested_at')
        .where('id', '=', sagaId)
        .executeTakeFirstOrThrow();
      const sagas = await bed.db.selectFrom('saga').select('id').where('requested_at', '>=', since).execute();
      for (const { id } of sagas) {
        await restOf(bed.db, id);
        await drained(bed.db, id);
      }
      return sagaId;
    }

    it('does what its dry run has told, which leaves nothing behind', async () => {
      const subject = await fixture.seed(bed.db);
      const [digest, keys] = [await digestOfEverything(bed.db), await keysOf()];
      const eve = await eveOf(bed.db);
      const planned = await plan(subject);
      expect(await digestOfEverything(bed.db)).toEqual(digest);
      expect(await keysOf()).toEqual(keys);
      expect(asked()).toBe(0);
      expect(planned.steps.every(({ outcome }) => outcome === 'done')).toBe(true);
      expect(planned.steps.filter(({ saga }) => saga === definition.name).map(({ step }) => step)).toEqual(
        definition.steps.map(({ name }) => name),
      );
      await act(subject);
      expectSame(planned.changes, await changedSince(bed.db, eve, subject.subjectId), 'plan and act');
      expect(Object.values(planned.changes).flat()).not.toEqual([]);
    }, 60_000);

    it('is planned while it is paused, with a warning', async () => {
      const subject = await fixture.seed(bed.db);
      const hold = { id: 'hold-1', scope: 'NAME' as const, subject: definition.name, reason: 'x', held_by: 'ops-1' };
      await bed.db.insertInto('hold').values(hold).execute();
      const planned = await plan(subject);
      await bed.db
        .updateTable('hold')
        .set({ released_at: new Date(), released_by: 'ops-1', release_reason: 'x' })
        .where('id', '=', hold.id)
        .execute();
      expect(planned.warnings).toContain('PAUSED');
      expect(planned.steps.every(({ outcome }) => outcome === 'done')).toBe(true);
    }, 60_000);

    it('is refused like its act, and so is the dry run of it', async () => {
      const subject = await fixture.seed(bed.db);
      await act(subject);
      const digest = await digestOfEverything(bed.db);
      const refused = await plan(subject).then(
        () => null,
        (error: unknown) => (error instanceof RoomyError ? [error.status, error.code] : error),
      );
      expect(await digestOfEverything(bed.db)).toEqual(digest);
      const sagaId = await act(subject);
      const ended = await bed.db
        .selectFrom('saga')
        .select(['status', 'response_status', 'error_code'])
        .where('id', '=', sagaId)
        .executeTakeFirstOrThrow();
      expect(refused).toEqual(ended.status === 'completed' ? null : [ended.response_status, ended.error_code]);
    }, 60_000);
  });
}

const never = (): never => {
  throw new Error('nobody is asked in this test');
};
