import type { Selectable } from 'kysely';
import type { Json, SagaStepTable, SagaTable } from '../../db/schema.ts';
import { effectKey } from '../../kernel/ids.ts';
import { holdOf } from '../holds.ts';
import { resolutionOf, SUPERSEDED_UNDO, superseded } from '../resolution.ts';
import type { HoldRow } from '../store/holds.ts';
import type { ExecutionView, PauseView, Resolution, StepSummary, StepView } from '../types.ts';

/** An execution and the timeline of its steps, from their rows, as far as a reader may see them. */

/** The steps of a definition, as pinned by an execution; null when this build does not know it any more. */
export type StepsOf = (name: string, version: number) => readonly StepSummary[] | null;

/** The rights of a reader, as far as an execution shows something to some readers only. */
export interface Reader {
  readonly stepsOf: StepsOf;
  /** The fields of the input that the definition lets a person amend; absent: none is shown. */
  readonly amendableOf?: (name: string, version: number) => readonly string[];
  /** Whether technical causes of errors are shown. */
  readonly seesCauses: boolean;
  /** The part of a refusal's details that this reader may see. */
  readonly detailsFor: (details: Json | undefined) => Json | undefined;
}

export type SagaRow = Selectable<SagaTable>;
export type StepRow = Selectable<SagaStepTable>;

/**
 * The public form of an execution, without the output fields that its steps conceal and the causes that this reader may
 * not see.
 */
export function executionView(
  row: SagaRow,
  steps: readonly StepRow[],
  reader: Reader,
  holds: readonly HoldRow[],
): ExecutionView {
  const definition = reader.stepsOf(row.name, row.definition_ver);
  const done = steps.filter((step) => step.direction === 'F' && (step.status === 'done' || step.status === 'skipped'));
  const currentStep = Math.min(Math.max(row.current_step, 1), row.total_steps);
  const stepName =
    definition?.[currentStep - 1]?.name ?? steps.find((step) => step.step_no === currentStep)?.name ?? '';
  return {
    id: row.id,
    name: row.name,
    definitionVersion: row.definition_ver,
    subjectType: row.subject_type,
    subjectId: row.subject_id,
    status: row.status,
    currentStep,
    currentStepName: stepName,
    stepsCompleted: done.length,
    totalSteps: row.total_steps,
    generation: row.generation,
    requestedBy: row.requested_by,
    onBehalfOf: row.on_behalf_of,
    notes: row.notes,
    requestId: row.request_id,
    createdAt: row.requested_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
    deadlineAt: row.deadline_at.toISOString(),
    error: row.error_code === null ? null : { code: row.error_code, details: publicError(row.error_detail, reader) },
    waiting: waitOf(steps),
    pausedBy: pauseOf(row, done, definition?.[currentStep - 1], holds),
    responseStatus: row.response_status,
    retryOf: row.retry_of,
    data: { ...(row.subject_type === 'transaction' ? {} : { reservationId: row.subject_id }), ...idsOf(done) },
  };
}

function pauseOf(
  row: SagaRow,
  done: readonly StepRow[],
  step: StepSummary | undefined,
  holds: readonly HoldRow[],
): PauseView | null {
  // A parked one waits for a person first.
  if (holds.length === 0 || row.finished_at !== null || row.status === 'parked') return null;
  const outputs = Object.fromEntries(done.map(({ name, result }) => [name, result]));
  const hold = holdOf(holds, { state: { id: row.id, name: row.name, input: row.input, done: outputs }, step });
  if (!hold) return null;
  const { id, scope, subject, held_by, held_at, reason } = hold;
  return { holdId: id, scope, subject, by: held_by, since: held_at.toISOString(), reason };
}

function waitOf(steps: readonly StepRow[]): ExecutionView['waiting'] {
  const row = steps.find(({ status }) => status === 'waiting');
  if (!row?.started_at || !row.wait_until) return null;
  return { step: row.name, since: row.started_at.toISOString(), until: row.wait_until.toISOString() };
}

/** Ids only: outputs may hold more, such as amounts and counts, which belong to the step's own entry. */
function idsOf(done: readonly StepRow[]): Record<string, Json> {
  const ids: Record<string, Json> = {};
  for (const { result } of done) {
    if (!isObject(result)) continue;
    for (const [key, value] of Object.entries(result)) {
      if (/Ids?$/.test(key) && value !== undefined && value !== null) ids[key] = value;
    }
  }
  return ids;
}

/** Forward steps in their order, then compensations in theirs: backwards. */
export function timeline(saga: SagaRow, rows: readonly StepRow[], reader: Reader): StepView[] {
  const definition = reader.stepsOf(saga.name, saga.definition_ver) ?? [];
  const forward = rows.filter((row) => row.direction === 'F');
  const undone = rows.filter((row) => row.direction === 'C').toReversed();
  // Once a saga is being undone or is over, a step that has not run never will.
  const open =
    undone.length === 0 && (saga.status === 'pending' || saga.status === 'running' || saga.status === 'parked');
  const steps = definition.map((step, index): StepView => {
    const row = forward.find((candidate) => candidate.step_no === index + 1);
    return row ? stepView(row, step, reader) : unstarted(saga.id, index + 1, step, open ? 'pending' : 'skipped');
  });
  const known = definition.length > 0 ? steps : forward.map((row) => stepView(row, undefined, reader));
  return [...known, ...undone.map((row) => stepView(row, definition[row.step_no - 1], reader))];
}

function unstarted(sagaId: string, no: number, step: StepSummary, status: 'pending' | 'skipped'): StepView {
  return {
    step: no,
    name: step.name,
    direction: 'forward',
    kind: step.kind,
    class: lowerClass(step.class),
    status,
    attempts: 0,
    maxAttempts: step.maxAttempts,
    effectKey: effectKey(sagaId, no, 'F'),
    output: null,
    error: null,
    startedAt: null,
    endedAt: null,
    durationMs: null,
    waitsUntil: null,
    skipped: null,
    ifSkipped: step.skippable?.follows ?? null,
    readsAgain: step.readsAgain ?? false,
  };
}

function stepView(row: StepRow, definition: StepSummary | undefined, reader: Reader): StepView {
  return {
    step: row.step_no,
    name: row.name,
    direction: row.direction === 'F' ? 'forward' : 'compensation',
    kind: definition?.kind ?? (row.kind === 'EXTERNAL' ? 'call' : 'tx'),
    class: lowerClass(row.class),
    status: row.status,
    attempts: row.attempt,
    maxAttempts: row.max_attempts,
    effectKey: effectKey(row.saga_id, row.step_no, row.direction),
    output: shownOutput(row.result, definition),
    error: publicError(row.error, reader),
    startedAt: row.started_at?.toISOString() ?? null,
    endedAt: row.finished_at?.toISOString() ?? null,
    durationMs:
      row.started_at && row.finished_at ? Math.max(0, row.finished_at.getTime() - row.started_at.getTime()) : null,
    waitsUntil: row.wait_until?.toISOString() ?? null,
    skipped: row.skipped_by === null ? null : { by: row.skipped_by, reason: row.skip_reason },
    ifSkipped:
      (row.direction === 'F' ? definition?.skippable : definition?.skippableUndo)?.follows ??
      (row.direction === 'C' && superseded(codeOf(row)) ? SUPERSEDED_UNDO : null),
    readsAgain: row.direction === 'F' && (definition?.readsAgain ?? false),
  };
}

/** What a resolve would do; null: it is not parked, or this build does not know its definition. */
export function resolutionView(
  saga: Pick<SagaRow, 'name' | 'definition_ver' | 'status' | 'current_step'>,
  rows: readonly StepRow[],
  stepsOf: StepsOf,
): Resolution | null {
  const steps = stepsOf(saga.name, saga.definition_ver);
  if (saga.status !== 'parked' || !steps) return null;
  const undos = rows.filter(
    ({ direction, status }) => direction === 'C' && status !== 'done' && status !== 'skipped',
  ).length;
  const direction = undos > 0 ? 'C' : 'F';
  const row = rows.find((one) => one.step_no === saga.current_step && one.direction === direction);
  return resolutionOf(steps, { step: saga.current_step, direction, code: row ? codeOf(row) : null, toUndo: undos });
}

const codeOf = ({ error }: StepRow): string | null =>
  isObject(error) && typeof error.code === 'string' ? error.code : null;

/** A step that this build does not know may have something to conceal. */
export function shownOutput(output: Json, definition: StepSummary | undefined): Json {
  if (!definition || !isObject(output)) return definition ? output : null;
  return Object.fromEntries(Object.entries(output).filter(([field]) => !definition.conceals.includes(field)));
}

/** The error as this reader may see it. */
export function publicError(error: Json, reader: Reader): Json {
  if (!isObject(error)) return error;
  const { cause, details, ...rest } = error;
  return {
    ...rest,
    ...(details === undefined ? {} : { details: reader.detailsFor(withoutAsk(details)) }),
    ...(cause === undefined || !reader.seesCauses ? {} : { cause }),
  };
}

/** What a person is asked, amounts included, is read where it is decided, by who may decide. */
function withoutAsk(details: Json): Json {
  if (!isObject(details)) return details;
  const { ask: _, ...shown } = details;
  return shown;
}

const CLASSES = { READ: 'read', COMPENSABLE: 'compensable', PIVOT: 'pivot', RETRIABLE: 'retriable' } as const;
const lowerClass = (stepClass: StepRow['class']): StepView['class'] => CLASSES[stepClass];

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json | undefined } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
