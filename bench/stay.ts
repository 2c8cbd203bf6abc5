import type { Action } from './actions.ts';
import { type LoadPlan, median } from './load.ts';
import { perSecond, perUnit, perUnitByProgram, saturation } from './rounds.ts';
import type { System } from './system.ts';
import type { Measured } from './types.ts';

/**
 * The whole stay, drained: confirmed through HTTP, its four tasks assigned, all messages of the moment delivered to the
 * mailbox, its events published and numbered. Then what comes later in its life: payment, check-in, cancellation.
 */

export interface DrainedStay {
  readonly stays: number;
  /** Of API, worker, Postgres and Redis, from the first request until nothing was left to do. */
  readonly cpuMsPerStay: number | null;
  readonly cpuMsPerStayByProgram: Readonly<Record<string, number | null>>;
  readonly staysPerSecond: number;
  /** What a stay has come to, so that nothing is cheap because it was not done. */
  readonly assignedPerStay: number;
  readonly messagesPerStay: number;
  readonly eventsPerStay: number;
  readonly walKiBPerStay: number;
  /** Images of whole pages, not counted above. */
  readonly fullPageKiBPerStay: number;
}
export interface Column {
  readonly perSecond: number | null;
  readonly cpuMsPerSaga: number | null;
}
export type LaterAction = Extract<Action, 'pay' | 'checkIn' | 'cancel'>;
export interface StayFigures {
  readonly burst: DrainedStay;
  readonly atRate: DrainedStay;
  readonly ratePerSecond: number;
  readonly idleCpuMsPerSecond: number | null;
  readonly idleCpuMsPerSecondByProgram: Readonly<Record<string, number | null>>;
  readonly idleSeconds: number;
  readonly columns: Readonly<Record<LaterAction, Column>>;
}
export interface StayPlan {
  readonly rounds: number;
  readonly concurrency: number;
  /** Confirmed at once, in each round. */
  readonly burst: number;
  /** So many a second, for so long, in each round. */
  readonly ratePerSecond: number;
  readonly rateSeconds: number;
  readonly idleSeconds: number;
}

const WARM_UP = 50;
const FEED_EVERY_MS = 1_000;
/** Schedulers and connections come to rest after work. */
const CALM_MS = 3_000;
const LONGEST_SECONDS = 60;
const KIB = 1_024;

/** How many stays `measureStay` confirms. */
export const staysFor = ({ rounds, burst, ratePerSecond, rateSeconds }: StayPlan): number =>
  WARM_UP + rounds * (burst + ratePerSecond * rateSeconds);

export async function measureStay(system: System, plan: StayPlan): Promise<StayFigures> {
  const { concurrency, rounds, ratePerSecond, rateSeconds } = plan;
  const atOnce = (units: number): LoadPlan => ({ ...saturation(concurrency, LONGEST_SECONDS), maxUnits: units });
  let next = 0;
  const take = (units: number): number => {
    const from = next;
    next += units;
    return from;
  };
  await system.sweep(true);
  const first = take(WARM_UP);
  await drained(system, atOnce(WARM_UP), first);
  await live(system, atOnce, { from: first, stays: WARM_UP });
  await system.settle();

  const bursts: DrainedStay[] = [];
  const atRates: DrainedStay[] = [];
  const lives: Record<LaterAction, Measured>[] = [];
  for (let no = 1; no <= rounds; no += 1) {
    const from = take(plan.burst);
    const burst = await drained(system, atOnce(plan.burst), from);
    bursts.push(burst);
    lives.push(await live(system, atOnce, { from, stays: plan.burst }));
    await system.settle();
    const units = ratePerSecond * rateSeconds;
    const steady = { loop: 'open', perSecond: ratePerSecond, seconds: rateSeconds, maxUnits: units } as const;
    const atRate = await drained(system, steady, take(units));
    atRates.push(atRate);
    const cpu = [burst, atRate].map(({ cpuMsPerStay }) => cpuMsPerStay?.toFixed(1) ?? 'n/a');
    console.log(
      `  round ${no}: ${cpu[0]} CPU ms a drained stay, ${cpu[1]} at ${ratePerSecond} a second, ${burst.walKiBPerStay.toFixed(1)} KiB of WAL`,
    );
    await system.settle();
  }
  const idle = await measureIdle(system, plan.idleSeconds);
  return {
    burst: middleOf(bursts),
    atRate: middleOf(atRates),
    ratePerSecond,
    ...idle,
    columns: {
      pay: columnOf(lives.map(({ pay }) => pay)),
      checkIn: columnOf(lives.map(({ checkIn }) => checkIn)),
      cancel: columnOf(lives.map(({ cancel }) => cancel)),
    },
  };
}

/** Confirms so many stays, and waits until nothing of them is left to do. */
async function drained(system: System, plan: LoadPlan, from: number): Promise<DrainedStay> {
  const look = async () => ({
    assigned: await system.count('assigned'),
    sent: await system.count('sent'),
    numbered: await system.count('numbered'),
  });
  const before = await look();
  const stopWal = await system.wal();
  const stop = system.meter();
  const startedAt = performance.now();
  const reading = everySecond(system.readFeed);
  const { done, failed, failures } = await system.send('confirm', plan, from);
  await system.rest();
  const elapsedMs = performance.now() - startedAt;
  const { cpuMs, cpuMsByProgram } = stop();
  await reading.stop();
  const wal = await stopWal();
  const after = await look();
  if (failed > 0 || done === 0) throw new Error(`${failed} confirmations failed: ${failures.join('; ')}`);
  return {
    stays: done,
    cpuMsPerStay: perUnit(cpuMs, done),
    cpuMsPerStayByProgram: perUnitByProgram(cpuMsByProgram, done),
    staysPerSecond: perSecond({ done, elapsedMs }),
    assignedPerStay: (after.assigned - before.assigned) / done,
    messagesPerStay: (after.sent - before.sent) / done,
    eventsPerStay: (after.numbered - before.numbered) / done,
    walKiBPerStay: wal.recordBytes / done / KIB,
    fullPageKiBPerStay: wal.fullPageBytes / done / KIB,
  };
}

/** One consumer of the feed that looks once a second. `stop` throws what a look has thrown. */
export function everySecond(work: () => Promise<void>): { readonly stop: () => Promise<void> } {
  let isStopped = false;
  const looking = (async () => {
    while (!isStopped) {
      await work();
      await new Promise((resolve) => setTimeout(resolve, FEED_EVERY_MS));
    }
  })();
  // `stop` rejects with its error; this keeps the error from being unhandled until then.
  looking.catch(() => undefined);
  return {
    stop: async () => {
      isStopped = true;
      await looking;
    },
  };
}

/** Stays that are confirmed are paid; half of them check in, the others are cancelled and get their money back. */
async function live(
  system: System,
  atOnce: (units: number) => LoadPlan,
  { from, stays }: { readonly from: number; readonly stays: number },
): Promise<Record<LaterAction, Measured>> {
  await system.sweep(false);
  const half = Math.floor(stays / 2);
  const pay = await whole(system, 'pay', atOnce(stays), from);
  const checkIn = await whole(system, 'checkIn', atOnce(half), from);
  const cancel = await whole(system, 'cancel', atOnce(stays - half), from + half);
  await system.sweep(true);
  const reading = everySecond(system.readFeed);
  await system.rest();
  await reading.stop();
  return { pay, checkIn, cancel };
}

async function whole(system: System, action: LaterAction, plan: LoadPlan, from: number): Promise<Measured> {
  const result = await system.act(action, plan, from);
  if (result.failed > 0) throw new Error(`${result.failed} of ${action} failed: ${result.failures.join('; ')}`);
  return result;
}

/** Nobody asks for anything, and nothing is due. */
async function measureIdle(system: System, idleSeconds: number) {
  // What the last stays have changed is checked once a minute: that is work, and is not what idling costs.
  await system.checked();
  await new Promise((resolve) => setTimeout(resolve, CALM_MS));
  const stop = system.meter();
  const startedAt = performance.now();
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1_000));
  const seconds = (performance.now() - startedAt) / 1_000;
  const { cpuMs, cpuMsByProgram } = stop();
  return {
    idleSeconds,
    idleCpuMsPerSecond: perUnit(cpuMs, seconds),
    idleCpuMsPerSecondByProgram: perUnitByProgram(cpuMsByProgram, seconds),
  };
}

const columnOf = (list: readonly Measured[]): Column => ({
  perSecond: median(list.map(perSecond)),
  cpuMsPerSaga: median(list.map(({ cpuMs, done }) => perUnit(cpuMs, done)).filter((ms) => ms !== null)),
});

/** The round in the middle by CPU time: its figures belong together. */
function middleOf(rounds: readonly DrainedStay[]): DrainedStay {
  const sorted = rounds.toSorted((a, b) => (a.cpuMsPerStay ?? 0) - (b.cpuMsPerStay ?? 0));
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (!middle) throw new RangeError('there must be a round');
  return middle;
}
