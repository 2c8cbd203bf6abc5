import type { EventView } from '../../domain/events/feed.ts';
import type { MovingStep } from '../../engine/read/moving-steps.ts';

/** What a process remembers of the feed and of steps while somebody listens: so much, and no more. */

const KEPT_EVENTS = 2_000;
const KEPT_STEPS = 2_000;
const SEEN_STEPS = 20_000;

/** The last events, with the places that they cover without a gap. */
export function createMemory() {
  let events: EventView[] = [];
  /** Everything after it is here. */
  let floor: number | null = null;
  let newest: number | null = null;
  return {
    newest: () => newest,
    add(more: readonly EventView[], upTo: number) {
      floor ??= upTo;
      events.push(...more);
      newest = upTo;
      const dropped = events.splice(0, Math.max(0, events.length - KEPT_EVENTS));
      floor = dropped.at(-1)?.seq ?? floor;
    },
    after(seq: number): readonly EventView[] | null {
      if (floor === null || seq < floor) return null;
      // Of few listeners is one far behind: the new ones are at the end.
      const first = events.findLastIndex((event) => event.seq <= seq) + 1;
      return events.slice(first);
    },
    clear() {
      events = [];
      floor = null;
      newest = null;
    },
  };
}

/** Which steps were seen in which state, and the changes in their order. */
export function createStepBook() {
  const seen = new Map<string, string>();
  let changes: { readonly n: number; readonly step: MovingStep }[] = [];
  let count = 0;
  /** The newest step of the first look, which only says how things stand; null: nobody has looked. */
  let since: string | null = null;
  const keyOf = ({ sagaId, step, direction }: MovingStep): string => `${sagaId} ${step} ${direction}`;
  const stateOf = ({ status, attempt }: MovingStep): string => `${status} ${attempt}`;
  return {
    last: () => count,
    after: (n: number): readonly MovingStep[] => changes.filter((change) => change.n > n).map(({ step }) => step),
    /** `steps`: from the oldest. Answers whether something has changed. */
    note(steps: readonly MovingStep[]): boolean {
      const before = since;
      since ??= steps.at(-1)?.at ?? '';
      const moved = steps.filter((step) => {
        const state = seen.get(keyOf(step));
        // Behind all others: what moves is forgotten last.
        seen.delete(keyOf(step));
        seen.set(keyOf(step), stateOf(step));
        if (before === null) return false;
        // An execution that was not looked at until now may have steps from before anybody listened.
        return state === undefined ? step.at > before : state !== stateOf(step);
      });
      for (const step of moved) {
        count += 1;
        changes.push({ n: count, step });
      }
      changes.splice(0, Math.max(0, changes.length - KEPT_STEPS));
      // The oldest go first: a map keeps the order in which its keys came.
      for (const key of seen.keys()) {
        if (seen.size <= SEEN_STEPS) break;
        seen.delete(key);
      }
      return moved.length > 0;
    },
    forget() {
      seen.clear();
      changes = [];
      since = null;
    },
  };
}
