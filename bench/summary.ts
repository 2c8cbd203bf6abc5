import { median } from './load.ts';
import type { Alone, Latencies, Round } from './rounds.ts';

/** Medians of rounds. A figure that a round does not have is left out; null when none has it. */

const middle = <T>(list: readonly T[], pick: (one: T) => number | null): number | null =>
  median(list.map(pick).filter((value) => value !== null));

const latencies = <T>(list: readonly T[], pick: (one: T) => Latencies): Latencies => ({
  p50: middle(list, (one) => pick(one).p50),
  p95: middle(list, (one) => pick(one).p95),
  p99: middle(list, (one) => pick(one).p99),
});

const alone = (list: readonly Alone[]) => ({
  perSecond: middle(list, (one) => one.perSecond),
  cpuMsPerSaga: middle(list, (one) => one.cpuMsPerSaga),
  cpuMsPerSagaByProgram: Object.fromEntries(
    Object.keys(list[0]?.cpuMsPerSagaByProgram ?? {}).map((name) => [
      name,
      middle(list, (one) => one.cpuMsPerSagaByProgram[name] ?? null),
    ]),
  ),
  idle: latencies(list, (one) => one.idle),
  rolledBackPerSecond: middle(list, (one) => one.rolledBackPerSecond),
  cpuMsPerRollback: middle(list, (one) => one.cpuMsPerRollback),
});

export const summary = (list: readonly Round[]) => ({
  ...alone(list),
  atRate: latencies(list, (one) => one.atRate),
  rollbackIdleP50: middle(list, (one) => one.rollbackIdleP50),
  alone: alone(list.map((one) => one.alone)),
});
export type Summary = ReturnType<typeof summary>;
export type AloneSummary = Summary['alone'];
