import type { Db, Tx } from '../../db/client.ts';
import type { Ports } from '../../domain/ports.ts';
import type { RunSlots } from '../../kernel/run-slots.ts';
import { compensationNote } from '../audit-note.ts';
import { endOf, releasedAfter } from '../record.ts';
import { contextOf, type DueStep } from '../state.ts';
import { createFusedStep, type DueItem, type FusedStep } from '../store/fused.ts';

/** A local step that is ready to run: one statement, or free TypeScript in a transaction. */
export type ReadyStep =
  | { readonly kind: 'statement'; readonly statement: FusedStep; readonly item: DueItem }
  | { readonly kind: 'transaction'; readonly work: (tx: Tx) => Promise<unknown> };

/** Gets a local step ready. Throws the step's own error. */
export type PrepareLocal = (due: DueStep) => Promise<ReadyStep>;

/**
 * Local steps: fused statements, free TypeScript in a transaction, and reads, which run like statements without an effect
 * once their values are there. A compensation of a step without one is such a statement as well.
 */
export function createLocalSteps(db: Db, ports: Ports, slots: RunSlots): PrepareLocal {
  const fused = new Map<string, FusedStep>();

  /** The statement of one step in one direction, compiled on first use. */
  function statementOf({ definition, step, direction }: DueStep): FusedStep {
    const id = `${definition.name}.${definition.version}.${step.no}.${direction}`;
    const known = fused.get(id);
    if (known) return known;
    const work = direction === 'F' ? step.forward : step.compensation;
    const effect = work?.kind === 'statement' ? work : null;
    const place = { totalSteps: definition.steps.length, releases: releasedAfter(definition, step, direction) };
    const made = createFusedStep(db, step, direction, place, effect, slots);
    fused.set(id, made);
    return made;
  }

  return async (due) => {
    const { state, step, direction } = due;
    const context = contextOf(due);
    const work = direction === 'F' ? step.forward : step.compensation;
    if (direction === 'F' && step.imperative?.when(context)) {
      const { imperative } = step;
      return { kind: 'transaction', work: (tx) => imperative.run({ ...context, tx }) };
    }
    if (work?.kind === 'tx') return { kind: 'transaction', work: (tx) => work.run({ ...context, tx }) };
    const values =
      work?.kind === 'read'
        ? await work.run({ ...context, db, ports })
        : work?.kind === 'statement'
          ? work.values?.(context)
          : {};
    const item = {
      saga_id: state.id,
      generation: state.generation,
      vals: values ?? {},
      end: await endOf(db, due),
      note: direction === 'C' ? compensationNote(state, step) : null,
    };
    return { kind: 'statement', statement: statementOf(due), item };
  };
}
