import type { SagaDefinition } from './definition.ts';
import type { OnTimeout, StepDefinition } from './step.ts';

/** The shape of a definition, as far as an execution that is pinned to it depends on it. */
export type Plan = readonly PlannedStep[];
interface PlannedStep {
  readonly name: string;
  readonly kind: StepDefinition['kind'];
  readonly class: StepDefinition['class'];
  readonly locks: StepDefinition['locks'];
  /** The kind of its undo; null: it has none. */
  readonly undo: StepDefinition['kind'] | null;
  /** Of a wait: its time in milliseconds, and how the saga goes on when that is over. */
  readonly timeoutMs?: number;
  readonly onTimeout?: OnTimeout;
}
/** Plans by `<saga>@<version>`. */
export type Plans = Readonly<Record<string, Plan>>;

/** The plan of each definition by `name@version`, as `plans.lock.json` keeps it. */
export const plansOf = (definitions: readonly SagaDefinition[]): Plans =>
  Object.fromEntries(definitions.map((definition) => [`${definition.name}@${definition.version}`, planOf(definition)]));

const planOf = ({ steps }: SagaDefinition): Plan =>
  steps.map(({ name, kind, class: stepClass, locks, forward, compensation }) => ({
    name,
    kind,
    class: stepClass,
    locks,
    undo: compensation?.kind ?? null,
    ...(forward.kind === 'wait' ? { timeoutMs: forward.timeoutMs, onTimeout: forward.onTimeout } : {}),
  }));

export interface PlanDifference {
  readonly id: string;
  readonly what: 'added' | 'changed' | 'removed';
  /** One sentence for the person who changed it, with the remedy. */
  readonly message: string;
}

/** How `current` differs from what was locked, by id; empty when it does not. */
export function comparePlans(locked: Plans, current: Plans): readonly PlanDifference[] {
  const ids = [...new Set([...Object.keys(locked), ...Object.keys(current)])].toSorted();
  return ids.flatMap((id): PlanDifference[] => {
    const [before, after] = [locked[id], current[id]];
    if (before && after) {
      if (JSON.stringify(before) === JSON.stringify(after)) return [];
      return [{ id, what: 'changed', message: changedMessage(id, before, after) }];
    }
    if (after) return [{ id, what: 'added', message: `${id} is not locked yet: run "npm run plans:lock".` }];
    const message = `${id} is gone, but an execution in flight may be pinned to it: keep it registered until none is, and then run "npm run plans:lock -- --drop ${id}".`;
    return [{ id, what: 'removed', message }];
  });
}

function changedMessage(id: string, before: Plan, after: Plan): string {
  const [name, version] = id.split('@');
  const index = Array.from({ length: Math.max(before.length, after.length) }, (_, at) => at).find(
    (at) => JSON.stringify(before[at]) !== JSON.stringify(after[at]),
  );
  const at = index ?? 0;
  return (
    `${id} has changed at step ${at + 1}, from ${describe(before[at])} to ${describe(after[at])}: an execution in flight ` +
    `would go on under another plan. Take the change back, put it into a version ${Number(version) + 1} of ${name}, ` +
    `register both, and run "npm run plans:lock". Only a version that was never deployed may be replaced: ` +
    `"npm run plans:lock -- --replace ${id}".`
  );
}

const describe = (step: PlannedStep | undefined): string =>
  step ? `${step.name} (${step.kind}, ${step.class}, undo: ${step.undo ?? 'none'}${describeWait(step)})` : 'no step';
const describeWait = ({ timeoutMs, onTimeout }: PlannedStep): string =>
  timeoutMs === undefined ? '' : `, waits ${timeoutMs} ms, then: ${onTimeout}`;
