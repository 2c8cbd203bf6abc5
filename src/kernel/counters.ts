/** Counts of one process since it began, by name: for its log, and for tests. */
export interface Counters {
  add(name: string): void;
  /** Zero for what has not been counted yet. */
  of(name: string): number;
  all(): Readonly<Record<string, number>>;
}

export function createCounters(): Counters {
  const counts = new Map<string, number>();
  return {
    add(name) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    },
    of: (name) => counts.get(name) ?? 0,
    all: () => Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}
