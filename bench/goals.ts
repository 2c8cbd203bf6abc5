import type { BackgroundFigures } from './background.ts';
import type { StayFigures } from './stay.ts';
import type { Summary } from './summary.ts';

/**
 * What the bench is held to: every goal with its number, in one list. CPU times are of a machine, so they hold for one like
 * the machine they were set on (two cores of 2026); ratios hold anywhere.
 */

export interface Figures {
  readonly system: Summary;
  /** On our schema, and on one that never changes. */
  readonly bare: Summary;
  readonly reference: Summary;
  readonly stay: StayFigures;
  readonly background: BackgroundFigures;
}
export interface Goal {
  readonly name: string;
  readonly bound: { readonly atMost: number } | { readonly atLeast: number };
  /** Null where it cannot be measured. */
  readonly of: (figures: Figures) => number | null;
}
export interface Judged {
  readonly name: string;
  readonly value: number | null;
  readonly bound: Goal['bound'];
  /** What could not be measured is not met. */
  readonly isMet: boolean;
}

export const ratio = (one: number | null, other: number | null): number | null =>
  one === null || other === null || other === 0 ? null : one / other;

const atMost = (bound: number, name: string, of: Goal['of']): Goal => ({ name, bound: { atMost: bound }, of });
const atLeast = (bound: number, name: string, of: Goal['of']): Goal => ({ name, bound: { atLeast: bound }, of });

/** The same ratio to both bare loops: to ours, and to the one that our schema cannot slow down. */
const besideBoth = (make: (to: 'bare' | 'reference', name: string) => Goal): readonly Goal[] => [
  make('bare', 'the bare loop'),
  make('reference', 'the reference'),
];

export const GOALS: readonly Goal[] = [
  atMost(5, 'CPU ms per saga, alone', ({ system }) => system.alone.cpuMsPerSaga),
  ...besideBoth((to, name) =>
    atLeast(1, `sagas/s of ${name}`, ({ system, [to]: loop }) => ratio(system.alone.perSecond, loop.alone.perSecond)),
  ),
  ...besideBoth((to, name) =>
    atMost(2.2, `idle p50 of ${name}`, ({ system, [to]: loop }) => ratio(system.alone.idle.p50, loop.alone.idle.p50)),
  ),
  ...besideBoth((to, name) =>
    atMost(3, `idle p95 of ${name}`, ({ system, [to]: loop }) => ratio(system.alone.idle.p95, loop.alone.idle.p95)),
  ),
  atMost(12, 'CPU ms per rolled-back saga', ({ system }) => system.alone.cpuMsPerRollback),
  ...besideBoth((to, name) =>
    atLeast(0.7, `rolled-back sagas/s of ${name}`, ({ system, [to]: loop }) =>
      ratio(system.alone.rolledBackPerSecond, loop.alone.rolledBackPerSecond),
    ),
  ),
  atMost(9, 'CPU ms per drained stay in a burst', ({ stay }) => stay.burst.cpuMsPerStay),
  atMost(20, 'CPU ms per drained stay at 20 a second', ({ stay }) => stay.atRate.cpuMsPerStay),
  // A stay is only as cheap as it is complete.
  atLeast(4, 'tasks assigned per drained stay', ({ stay }) => stay.burst.assignedPerStay),
  atMost(15, 'CPU ms a second when nothing happens', ({ stay }) => stay.idleCpuMsPerSecond),
  atMost(60, 'WAL KiB per drained stay, without page images', ({ stay }) => stay.burst.walKiBPerStay),
  atMost(0.4, 'CPU ms per assigned task', ({ background }) => background.task.few.cpuMsPerRow),
  atMost(0.3, 'CPU ms per message to the mailbox', ({ background }) => background.mailbox.few.cpuMsPerRow),
  atMost(1, 'CPU ms per mail by SMTP', ({ background }) => background.mail.few.cpuMsPerRow),
  ...(['task', 'mailbox', 'mail'] as const).map((work) =>
    atMost(1.1, `${work}: with many due, of few`, ({ background: { [work]: cost } }) =>
      ratio(cost.many.cpuMsPerRow, cost.few.cpuMsPerRow),
    ),
  ),
];

export const judge = (figures: Figures, goals: readonly Goal[] = GOALS): readonly Judged[] =>
  goals.map(({ name, bound, of }) => {
    const value = of(figures);
    const isMet = value !== null && ('atMost' in bound ? value <= bound.atMost : value >= bound.atLeast);
    return { name, value, bound, isMet };
  });

/** One line for each, those that are missed first. */
export function renderGoals(judged: readonly Judged[]): string {
  const line = ({ name, value, bound, isMet }: Judged): string => {
    const limit = 'atMost' in bound ? `at most ${bound.atMost}` : `at least ${bound.atLeast}`;
    return `  ${isMet ? 'met   ' : 'missed'}  ${name}: ${value === null ? 'not measured' : value.toFixed(2)} (${limit})`;
  };
  const missed = judged.filter(({ isMet }) => !isMet);
  return [
    `Goals: ${judged.length - missed.length} of ${judged.length} met`,
    ...missed.map(line),
    ...judged.filter(({ isMet }) => isMet).map(line),
  ].join('\n');
}
