import { type Db, inOneCommit, inSequence, type SendNext } from '../../db/client.ts';
import { classifyDbError } from '../../db/errors.ts';
import type { RunSlots } from '../../kernel/run-slots.ts';
import { isTracing, openSpan } from '../../kernel/telemetry/tracing.ts';
import type { Failpoint } from '../failpoint.ts';
import { following, foreseen } from '../following.ts';
import { measureStep, stepSpan } from '../measured.ts';
import { type DueStep, placeOf } from '../state.ts';
import { type Advanced, advancedOf, type FusedRow } from '../store/fused.ts';
import type { Ran, RunResult, RunStep, RunSteps } from './result.ts';
import type { PrepareLocal, ReadyStep } from './statement.ts';

interface AheadParts {
  readonly db: Db;
  readonly failpoint: Failpoint;
  readonly slots: RunSlots;
  readonly prepare: PrepareLocal;
  readonly runAlone: RunStep;
}

/** A step whose statement is ready to be sent. */
interface Ready extends Extract<ReadyStep, { kind: 'statement' }> {
  readonly due: DueStep;
}
/** A statement on its way. */
interface Sent {
  readonly step: number;
  /** In `performance.now()` milliseconds. */
  readonly sentMs: number;
  readonly rows: Promise<readonly FusedRow[]>;
}

/**
 * Steps of one saga are sent one behind the other, without waiting for the answers in between, and committed together: one
 * round trip and one commit for many, while nobody else could share their statements. Each has its own guard, so behind a
 * step that was foreseen wrongly the others find themselves not due and change nothing. When one of them fails, none was
 * done, and they are sent again, each as a commit of its own. While other statements are under way, a step runs by
 * `runAlone`, which joins it with other sagas.
 */
export function createAhead({ db, failpoint, slots, prepare, runAlone }: AheadParts): RunSteps {
  return async (due, signal) => {
    // What is paused is looked at before each step.
    if (!slots.isIdle() || due.step.kind === 'wait' || due.state.holds.length > 0 || !foreseen(due))
      return [await alone(due, signal)];
    // Taken at once, so that of two sagas that come together only one goes ahead of the other.
    const release = slots.take(() => undefined);
    const beganMs = performance.now();
    const ran = await together(due, signal).catch((error: unknown) => {
      const one = failed(due, error);
      measureStep(due, one.result, beganMs);
      return [one];
    });
    release();
    return ran.length > 0 ? ran : [await alone(due, signal)];
  };

  async function alone(due: DueStep, signal: AbortSignal): Promise<Ran> {
    return { due, result: await runAlone(due, signal) };
  }

  /** Empty: the first step has to be run alone. */
  async function together(due: DueStep, signal: AbortSignal): Promise<readonly Ran[]> {
    const ready = await readySteps(due, signal);
    if (ready.length === 0) return [];
    const send = sendAll(ready);
    const committed = ready.length > 1 ? await inOneCommit(db, send) : null;
    return collect(due, committed ?? (await inSequence(db, send)));
  }

  /** The step, and those behind it that can be sent without its answer. */
  async function readySteps(due: DueStep, signal: AbortSignal): Promise<readonly Ready[]> {
    const first = await prepare(due);
    if (first.kind !== 'statement') return [];
    await failpoint('before-step', placeOf(due));
    const ready: Ready[] = [{ ...first, due }];
    for (let next = foreseen(due, outputOf(due, first)); next && !hasEffects(next); next = foreseen(next)) {
      // A step that cannot be prepared is not sent ahead; it fails when it is run by itself.
      const more = await prepare(next).catch(() => null);
      if (more?.kind !== 'statement') break;
      await failpoint('before-step', placeOf(next));
      if (signal.aborted) break;
      ready.push({ ...more, due: next });
    }
    return ready;
  }

  /** The results in order, up to the first that is not "advanced". */
  async function collect(due: DueStep, sent: readonly Sent[]): Promise<readonly Ran[]> {
    const ran: Ran[] = [];
    let at: DueStep | undefined = due;
    for (const { step, sentMs, rows } of sent) {
      if (at?.step.no !== step) break;
      const result: RunResult | 'contention' = await resultOf(at, rows);
      if (result === 'contention') break;
      measureStep(at, result, sentMs);
      ran.push({ due: at, result });
      at = result.kind === 'advanced' ? following(at, result.advanced) : undefined;
    }
    return ran;
  }

  /** `contention`: it left nothing behind, and is to be run again. */
  async function resultOf(due: DueStep, rows: Sent['rows']): Promise<RunResult | 'contention'> {
    let advanced: Advanced | null;
    try {
      advanced = advancedOf((await rows)[0]);
    } catch (error) {
      return classifyDbError(error).kind === 'contention' ? 'contention' : failed(due, error).result;
    }
    await failpoint('after-commit', placeOf(due));
    return advanced ? { kind: 'advanced', advanced } : { kind: 'not-due' };
  }
}

const sendAll =
  (ready: readonly Ready[]) =>
  (send: SendNext): readonly Sent[] =>
    ready.map(({ due, statement, item }) => ({
      step: due.step.no,
      sentMs: performance.now(),
      rows: traced(due, () => send(statement.queryOf(item))),
    }));

/** What belongs to none of the steps is made when all before it is committed: of two sagas at once, the later one sees both. */
const hasEffects = ({ step, direction }: DueStep): boolean => direction === 'F' && step.effects.length > 0;

/** A step that only reads puts out what it has read, as the database gives it back. */
const outputOf = ({ step, direction }: DueStep, { item }: Pick<Ready, 'item'>) =>
  direction === 'F' && step.kind === 'read' ? { of: JSON.parse(JSON.stringify(item.vals)) as unknown } : undefined;

/** A step's span, from sending to answer. */
function traced(due: DueStep, send: () => Sent['rows']): Sent['rows'] {
  if (!isTracing()) return send();
  const span = openSpan(...stepSpan(due));
  const rows = span.within(send);
  rows.then(
    () => span.end(),
    (error: unknown) => span.end(error),
  );
  return rows;
}

const failed = (due: DueStep, error: unknown): Ran => ({ due, result: { kind: 'failed', error, claim: null } });
