import { type Selectable, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Database } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { AmendmentView } from '../types.ts';
import { amendmentViews } from './amendments.ts';
import { type HoldView, holdView } from './holds.ts';
import { publicError, type Reader, type StepRow, shownOutput } from './view.ts';

/** What was tried in an execution, one attempt at a time. */

/** `later`: another attempt follows. `lost`: its worker died, or another attempt had the step by then. */
export type AttemptOutcome = 'running' | 'waiting' | 'done' | 'later' | 'failed' | 'lost' | 'skipped';

export interface AttemptView {
  readonly step: number;
  readonly name: string;
  readonly direction: 'forward' | 'compensation';
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  /** Of a call: the process that made it. Local steps do not say where they ran. */
  readonly worker: string | null;
  /** Of a call that failed: it certainly never reached the other side. */
  readonly unsent: boolean;
  readonly output: unknown;
  readonly error: unknown;
  /** ISO instants. */
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly durationMs: number | null;
}
export interface AttemptsView {
  /** As it was accepted. */
  readonly input: Readonly<Record<string, unknown>>;
  /** What people have changed of it since; the attempts behind each have read it. */
  readonly amendments: readonly AmendmentView[];
  /** Oldest first. */
  readonly attempts: readonly AttemptView[];
}

type AttemptRow = Selectable<Database['step_attempt']>;

/** Throws `SAGA_NOT_FOUND`. Of a local step the last attempt is kept, with its number; of a call each. */
export async function attemptsOf(db: Db, sagaId: string, reader: Reader): Promise<AttemptsView> {
  const saga = await db
    .selectFrom('saga')
    .select(['name', 'definition_ver', 'input'])
    .where('id', '=', sagaId)
    .executeTakeFirst();
  if (!saga) throw new RoomyError('SAGA_NOT_FOUND');
  const [steps, calls] = await Promise.all([
    db.selectFrom('saga_step').selectAll().where('saga_id', '=', sagaId).orderBy('step_no').execute(),
    db.selectFrom('step_attempt').selectAll().where('saga_id', '=', sagaId).orderBy('attempt').execute(),
  ]);
  const forward = steps.filter(({ direction }) => direction === 'F');
  const undone = steps.filter(({ direction }) => direction === 'C').toReversed();
  const definition = reader.stepsOf(saga.name, saga.definition_ver) ?? [];
  const attempts = [...forward, ...undone].flatMap((step): AttemptView[] => {
    const shown = { output: shownOutput(step.result, definition[step.step_no - 1]), reader };
    const own = calls.filter(({ step_no, direction }) => step_no === step.step_no && direction === step.direction);
    if (own.length > 0) return own.map((call) => attemptOfCall(step, call, shown));
    return step.attempt === 0 ? [] : [lastAttempt(step, shown)];
  });
  const amendments = await amendmentViews(db, sagaId, definition);
  return { input: saga.input, amendments, attempts };
}

interface Shown {
  readonly output: unknown;
  readonly reader: Reader;
}

const place = ({ step_no, name, direction }: StepRow) => ({
  step: step_no,
  name,
  direction: direction === 'F' ? ('forward' as const) : ('compensation' as const),
});

const OF_CALL: Readonly<Record<NonNullable<AttemptRow['outcome']>, AttemptOutcome>> = {
  done: 'done',
  retry: 'later',
  failed: 'failed',
  fenced: 'lost',
  abandoned: 'lost',
};

const attemptOfCall = (step: StepRow, call: AttemptRow, { output, reader }: Shown): AttemptView => ({
  ...place(step),
  attempt: call.attempt,
  outcome: call.outcome === null ? 'running' : OF_CALL[call.outcome],
  worker: call.worker_id,
  unsent: call.unsent,
  output: call.outcome === 'done' ? output : null,
  error: publicError(call.error, reader),
  ...times(call.claimed_at, call.ended_at),
});

const OF_STEP: Readonly<Record<StepRow['status'], AttemptOutcome>> = {
  pending: 'later',
  running: 'running',
  waiting: 'waiting',
  done: 'done',
  failed: 'failed',
  skipped: 'skipped',
};

const lastAttempt = (step: StepRow, { output, reader }: Shown): AttemptView => ({
  ...place(step),
  attempt: step.attempt,
  outcome: OF_STEP[step.status],
  worker: step.worker_id,
  unsent: false,
  output,
  error: publicError(step.error, reader),
  ...times(step.started_at, step.finished_at),
});

const times = (from: Date | null, to: Date | null) => ({
  startedAt: from?.toISOString() ?? null,
  endedAt: to?.toISOString() ?? null,
  durationMs: from && to ? Math.max(0, to.getTime() - from.getTime()) : null,
});

const MOST_HOLDS = 100;
/** The holds that may have kept an execution while it was open, the oldest first. */
export async function holdsOver(
  db: Db,
  saga: { readonly id: string; readonly name: string; readonly createdAt: string; readonly finishedAt: string | null },
): Promise<readonly HoldView[]> {
  const rows = await db
    .selectFrom('hold')
    .selectAll()
    .where((eb) =>
      eb.or([
        eb('scope', 'in', ['ALL', 'GATEWAY']),
        eb.and([eb('scope', '=', literal('SAGA')), eb('subject', '=', saga.id)]),
        eb.and([eb('scope', 'in', ['NAME', 'STEP']), eb(sql`split_part(subject, '.', 1)`, '=', saga.name)]),
      ]),
    )
    .where(sql<boolean>`held_at < coalesce(${saga.finishedAt}::timestamptz, now())`)
    .where(sql<boolean>`(released_at IS NULL OR released_at > ${saga.createdAt}::timestamptz)`)
    .orderBy('held_at')
    .orderBy('id')
    .limit(MOST_HOLDS)
    .execute();
  return rows.map(holdView);
}
