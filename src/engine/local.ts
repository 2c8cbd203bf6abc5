import { sql } from 'kysely';
import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import type { Direction, Json } from '../db/schema.ts';
import type { Ports } from '../domain/ports.ts';
import type { SagaDefinition, StepDefinition } from './definition.ts';
import { compensatedEnd, compensationNote, completedEnd, errorOf } from './ending.ts';
import { writeAudit } from './fail.ts';
import { type Advanced, createFusedStep, type DueStep, type PreparedEnd, type RunFused } from './fused.ts';
import { contextOf, type SagaState } from './state.ts';

/** Runs local steps: reads, fused statements, and free TypeScript in a transaction. */
export interface LocalRunner {
  /** Null when the step was not due any more. Throws what the step threw; nothing of it is left behind then. */
  run(
    state: SagaState,
    definition: SagaDefinition,
    step: StepDefinition,
    direction: Direction,
  ): Promise<Advanced | null>;
}

export function createLocalRunner(db: Db, ports: Ports): LocalRunner {
  const fused = new Map<string, RunFused>();

  /** The statement of one step in one direction, compiled on first use. */
  function statementOf(definition: SagaDefinition, step: StepDefinition, direction: Direction): RunFused {
    const id = `${definition.name}.${definition.version}.${step.no}.${direction}`;
    const known = fused.get(id);
    if (known) return known;
    const work = direction === 'F' ? step.forward : step.compensation;
    const made = createFusedStep(
      db,
      step,
      direction,
      definition.steps.length,
      work?.kind === 'statement' ? work : null,
    );
    fused.set(id, made);
    return made;
  }

  return {
    async run(state, definition, step, direction) {
      const context = contextOf(state, step.no, direction, definition.input.parse(state.input));
      const own = { ...context, done: withOwn(state, step, direction) };
      const work = direction === 'F' ? step.forward : step.compensation;
      if (direction === 'F' && step.thinking?.when(context)) {
        const { thinking } = step;
        return inTransaction(db, state, definition, step, direction, (tx) => thinking.run({ ...context, tx }));
      }
      if (work?.kind === 'tx')
        return inTransaction(db, state, definition, step, direction, (tx) => work.run({ ...own, tx }));
      const vals =
        work?.kind === 'read'
          ? await work.run({ ...context, db, ports })
          : work?.kind === 'statement'
            ? work.values?.(own)
            : {};
      const due: DueStep = {
        saga_id: state.id,
        generation: state.generation,
        vals: vals ?? {},
        end: await endOf(db, state, definition, step, direction),
        note: direction === 'C' ? compensationNote(state, step) : null,
      };
      return retryContention(() => statementOf(definition, step, direction)(due));
    },
  };
}

/** A compensation finds the output of the step that it undoes under `own`. */
function withOwn(state: SagaState, step: StepDefinition, direction: Direction): Readonly<Record<string, unknown>> {
  return direction === 'F' ? state.done : { ...state.done, own: state.done[step.name] };
}

/** How the saga answers if this step ends it; what it reads does not change any more once all steps but the last are done. */
async function endOf(
  db: Db | Tx,
  state: SagaState,
  definition: SagaDefinition,
  step: StepDefinition,
  direction: Direction,
): Promise<PreparedEnd | null> {
  if (direction === 'C') return compensatedEnd(state, errorOf(state));
  if (step.no < definition.steps.length) return null;
  const context = contextOf(state, step.no, direction, definition.input.parse(state.input));
  return completedEnd(state, await definition.end({ ...context, db }), definition);
}

function inTransaction(
  db: Db,
  state: SagaState,
  definition: SagaDefinition,
  step: StepDefinition,
  direction: Direction,
  work: (tx: Tx) => Promise<unknown>,
): Promise<Advanced | null> {
  return retryContention(() =>
    db.transaction().execute(async (tx) => {
      const advance = await passGuard(tx, state, step, direction);
      if (!advance) return null;
      const output = (await work(tx)) ?? {};
      return recordDone(tx, state, definition, step, direction, output);
    }),
  );
}

/** Takes the saga's row lock and makes sure that this step is due under it. */
export async function passGuard(
  tx: Tx,
  state: SagaState,
  step: StepDefinition,
  direction: Direction,
): Promise<boolean> {
  const row = await tx
    .selectFrom('saga')
    .select('id')
    .where('id', '=', state.id)
    .where('generation', '=', state.generation)
    .where('current_step', '=', step.no)
    .where('status', 'in', direction === 'F' ? ['pending', 'running'] : ['compensating'])
    .forUpdate()
    .executeTakeFirst();
  return row !== undefined;
}

/** The step is done: its row, the saga's progress or end, and the audit rows of it; under the saga's lock. */
export async function recordDone(
  tx: Tx,
  state: SagaState,
  definition: SagaDefinition,
  step: StepDefinition,
  direction: Direction,
  output: unknown,
): Promise<Advanced> {
  const next = direction === 'F' ? followingForward(definition, step) : await followingCompensation(tx, state.id, step);
  const end = next === null ? await endOf(tx, state, definition, step, direction) : null;
  if (state.status === 'pending' && next === null)
    await tx.updateTable('saga').set({ status: 'running' }).where('id', '=', state.id).execute();
  const saga = await tx
    .updateTable('saga')
    .set({
      redispatches: 0,
      ...(next === null ? {} : { current_step: next }),
      ...(end
        ? {
            status: direction === 'F' ? ('completed' as const) : ('compensated' as const),
            finished_at: sql`clock_timestamp()`,
            response_status: end.response_status,
            response_body: Buffer.from(end.response_body),
          }
        : { status: direction === 'F' ? ('running' as const) : ('compensating' as const) }),
    })
    .where('id', '=', state.id)
    .returning('version')
    .executeTakeFirstOrThrow();
  await upsertDone(tx, state, step, direction, output, saga.version);
  if (direction === 'C') await writeAudit(tx, state, compensationNote(state, step));
  if (end) await writeAudit(tx, state, end.audit, { ends: true });
  return { output, nextStep: next };
}

const followingForward = (definition: SagaDefinition, step: StepDefinition): number | null =>
  step.no < definition.steps.length ? step.no + 1 : null;

async function followingCompensation(tx: Tx, sagaId: string, step: StepDefinition): Promise<number | null> {
  const row = await tx
    .selectFrom('saga_step')
    .select((eb) => eb.fn.max('step_no').as('no'))
    .where('saga_id', '=', sagaId)
    .where('direction', '=', 'C')
    .where('step_no', '<', step.no)
    .where('status', 'not in', ['done', 'skipped'])
    .executeTakeFirst();
  return row?.no ?? null;
}

async function upsertDone(
  tx: Tx,
  state: SagaState,
  step: StepDefinition,
  direction: Direction,
  output: unknown,
  version: number,
): Promise<void> {
  const external = step.kind === 'call';
  const result = JSON.stringify(output as Json);
  await tx
    .insertInto('saga_step')
    .values({
      saga_id: state.id,
      step_no: step.no,
      direction,
      name: step.name,
      kind: external ? 'EXTERNAL' : 'LOCAL',
      class: step.class,
      status: 'done',
      attempt: 1,
      max_attempts: step.maxAttempts,
      effect_key: contextOf(state, step.no, direction, null).key,
      result,
      started_at: sql`now()`,
      finished_at: sql`clock_timestamp()`,
      done_at_version: version,
    })
    .onConflict((conflict) =>
      conflict.columns(['saga_id', 'step_no', 'direction']).doUpdateSet({
        status: 'done',
        // The attempt of an external step is its fencing token, counted when it was claimed.
        ...(external ? {} : { attempt: sql<number>`saga_step.attempt + 1`, started_at: sql<Date>`now()` }),
        lease_until: null,
        result,
        finished_at: sql<Date>`clock_timestamp()`,
        done_at_version: version,
      }),
    )
    .execute();
}
