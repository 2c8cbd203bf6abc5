import type { Queue } from 'bullmq';
import { expect } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import { effectKey } from '../../src/kernel/ids.ts';
import { stepJobId } from '../../src/queues/jobs.ts';
import { COMPENSATION_QUEUE } from '../../src/queues/names.ts';
import {
  type Asked,
  drained,
  finishByHand,
  noteAnswer,
  type Subject,
  type Testbed,
  type TestProcess,
  until,
} from '../setup/engine.ts';
import { expectInvariants } from './invariants.ts';
import type { Ran, SagaFixture } from './lab.ts';
import { stage } from './stages.ts';
import { subjectRows } from './subject-rows.ts';

export interface Ended {
  readonly bed: Testbed;
  readonly fixture: SagaFixture;
  readonly asked: Asked;
  readonly subject: Subject;
  readonly definition: SagaDefinition;
  readonly id: string;
  /** The rows of its subject before it was accepted. */
  readonly found: readonly object[];
}

/** Everything that must be true of a saga that has ended, whatever happened to it on the way. */
export async function expectEnded(saga: Ended, process: TestProcess, byJobs: boolean): Promise<void> {
  const { bed, fixture, subject, id } = saga;
  const ran = ranOf(saga.definition, id, subject.subjectId);
  const row = await bed.db.selectFrom('saga').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  stage('drains its outbox');
  await drained(bed.db, id);
  stage('sees its followers end');
  for (const follower of (await fixture.follows?.(bed.db, ran)) ?? []) await finishByHand(bed, process, follower);
  stage('is looked at');
  const undone = await undoneSteps(bed.db, id);
  if (row.status === 'completed') {
    expect(undone).toEqual([]);
    await fixture.completed(bed.db, ran);
  } else {
    expect(undone).toEqual(await actedSteps(bed.db, id));
    expect(await subjectRows(bed.db, saga.definition.subjectType, subject.subjectId)).toEqual(saga.found);
    await fixture.compensated(bed.db, ran);
    if (byJobs && undone.length > 0) await expectJobsInOrder(process, id);
  }
  stage('is asked again');
  // The same request again: the same saga, the same bytes.
  const again = await bed.accept(process, saga.definition, subject, saga.asked.key);
  expect(again).toMatchObject({ sagaId: id, replayed: true });
  const answer = await process.engine.orchestrator.waitForAnswer(id, 5_000);
  if (!answer) throw new Error('an ended saga has no answer');
  await noteAnswer(bed.db, saga.asked.key, id, answer);
  expect(answer.status).toBe(row.response_status);
  stage('is held against the invariants');
  await expectInvariants(bed.db, [id, subject.subjectId]);
}

/** An execution as its fixture sees it. */
export const ranOf = (definition: SagaDefinition, sagaId: string, subjectId: string): Ran => ({
  sagaId,
  subjectId,
  keyOf: (name) => {
    const step = definition.steps.find((one) => one.name === name);
    if (!step) throw new Error(`${definition.name} has no step ${name}`);
    return effectKey(sagaId, step.no, 'F');
  },
});

/** Far longer than a scenario may take: a client that waits this long got no answer. */
const LONG_WAIT_MS = 600_000;

/** The same request again while the saga is parked: its 202 at once, the same bytes however often it parks. */
export async function expectParkedAnswer(saga: Omit<Ended, 'fixture'>, process: TestProcess): Promise<void> {
  const { bed, id, asked } = saga;
  stage('is asked again while it is parked');
  await bed.accept(process, saga.definition, saga.subject, asked.key);
  const answer = await process.engine.orchestrator.waitForAnswer(id, LONG_WAIT_MS);
  if (!answer) throw new Error('a parked saga has no answer');
  await noteAnswer(bed.db, asked.key, id, answer);
  expect(answer.status).toBe(202);
  const { data } = JSON.parse(answer.body.toString()) as { readonly data: Readonly<Record<string, unknown>> };
  const names = saga.definition.steps.map(({ name }) => name);
  expect(data).toEqual({
    sagaExecutionId: id,
    status: 'parked',
    links: { self: `/api/production/sagas/executions/${id}` },
    waitsFor: {
      step: expect.toBeOneOf(names),
      direction: expect.toBeOneOf(['forward', 'compensation']),
      code: expect.stringMatching(/^[A-Z_]+$/),
      message: expect.any(String),
    },
  });
}

/** Numbers of the undone steps, in the order in which they were undone. */
async function undoneSteps(db: Db, sagaId: string): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('saga_step')
    .select('step_no')
    .where('saga_id', '=', sagaId)
    .where('direction', '=', 'C')
    .where('status', '=', 'done')
    .orderBy('done_at_version')
    .execute();
  return rows.map((row) => row.step_no);
}

/** Numbers of the steps that took effect or may have, the last one first. */
async function actedSteps(db: Db, sagaId: string): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('saga_step')
    .select('step_no')
    .where('saga_id', '=', sagaId)
    .where('direction', '=', 'F')
    .where('class', '<>', 'READ')
    .where((eb) => eb.or([eb('status', '=', 'done'), eb('first_sent_at', 'is not', null)]))
    .orderBy('step_no', 'desc')
    .execute();
  return rows.map((row) => row.step_no);
}

/** Each compensation's job began only when the one before it had ended, in every flow that undid the saga. */
async function expectJobsInOrder(process: TestProcess, sagaId: string): Promise<void> {
  const { generation, total_steps } = await process.db
    .selectFrom('saga')
    .select(['generation', 'total_steps'])
    .where('id', '=', sagaId)
    .executeTakeFirstOrThrow();
  const queue: Queue = process.engine.queues.queue(COMPENSATION_QUEUE);
  const ids = Array.from({ length: total_steps }, (_, n) => stepJobId(sagaId, generation, 'C', total_steps - n));
  const jobs = await until('the jobs of the undoing have ended', async () => {
    const found = (await Promise.all(ids.map((id) => queue.getJob(id)))).filter((job) => job !== undefined);
    return found.length > 0 && found.every((job) => job.finishedOn !== undefined) ? found : undefined;
  });
  const times = jobs.map((job) => ({ began: job.processedOn ?? 0, ended: job.finishedOn ?? 0 }));
  for (const [n, { began }] of times.entries()) expect(began).toBeGreaterThanOrEqual(times[n - 1]?.ended ?? 0);
}
