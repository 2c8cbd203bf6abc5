import { setTimeout as sleep } from 'node:timers/promises';
import { type ChaosDatabase, type Stays, totalOf } from './database.ts';
import { type Answer, type Driver, newKey, type Operation } from './driver.ts';
import type { Fleet } from './fleet.ts';
import type { Random } from './random.ts';

/** The parts that every phase works with. */
export interface Stage {
  readonly random: Random;
  readonly db: ChaosDatabase;
  readonly fleet: Fleet;
  readonly driver: Driver;
  readonly stays: Stays;
  /** Faults that fired, by kind. */
  readonly fired: Map<string, number>;
  /** Problems that a phase found by itself. */
  readonly problems: string[];
  readonly expected: Map<string, Ending>;
  say(line: string): void;
}
export type Ending = 'completed' | 'compensated' | 'either';

/** Whom payments go through; the sandbox takes any name. */
export const CHAOS_GATEWAY = 'gateway-chaos';

/** Counts a fault; `healed` is the moment from which the system must recover. */
export async function fault(stage: Stage, kind: string, healedAt = new Date()): Promise<void> {
  stage.fired.set(kind, (stage.fired.get(kind) ?? 0) + 1);
  await stage.db.query('INSERT INTO chaos.fault_event (kind, healed_at) VALUES ($1, $2)', [kind, healedAt]);
}

/** Payments of one person that are declined, at the most: more of them would look like fraud (domain.md 7). */
const MAX_DECLINED = 15;

/** A confirmation or a payment of a stay that nobody has used yet, with the ending that it must come to. */
export function anyOperation(stage: Stage): Operation {
  const { random, stays } = stage;
  if (random.next() < 0.25) return anyPayment(stage);
  const dice = random.next();
  const failing = dice < 0.04 ? stays.cleanersOnly : dice < 0.06 ? stays.unstaffed : null;
  if (failing && failing.length > 0)
    return operation(stage, takeFrom(failing), { requireAssignment: true }, 'compensated');
  const required = random.next() < 0.1;
  return operation(
    stage,
    takeFrom(stays.plain),
    required ? { requireAssignment: true } : {},
    required ? 'either' : 'completed',
  );
}

function anyPayment(stage: Stage): Operation {
  const { random, stays, fired } = stage;
  const reservationId = takeFrom(stays.plain);
  const declined = fired.get('payment declined') ?? 0;
  const declines = declined < MAX_DECLINED && random.next() < 0.1;
  const kind = declines ? 'payment declined' : 'payment';
  fired.set(kind, (fired.get(kind) ?? 0) + 1);
  const prefix = declines ? 'ref-declined' : random.next() < 0.1 ? 'ref-timeout-after' : 'ref';
  const body = {
    amount: totalOf(reservationId) / 100,
    currency: 'AED',
    gatewayId: CHAOS_GATEWAY,
    gatewayReference: `${prefix}-${reservationId}`,
  };
  return { ...operation(stage, reservationId, body, declines ? 'compensated' : 'completed'), action: 'payment' };
}

export function operation(
  stage: Stage,
  reservationId: string,
  body: Readonly<Record<string, unknown>>,
  ending: Ending,
): Operation {
  const key = newKey();
  stage.expected.set(key, ending);
  return { reservationId, action: 'confirm', key, body, prefer: 'respond-async' };
}

export function takeFrom<T>(items: T[]): T {
  const item = items.pop();
  if (item === undefined) throw new RangeError('no stays left: seed more');
  return item;
}

const AT_ONCE = 40;

/** Sends `count` operations, `AT_ONCE` at a time; resolves when all are answered. */
export async function burst(stage: Stage, count: number, make = () => anyOperation(stage)): Promise<Answer[]> {
  const answers: Answer[] = [];
  let left = count;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      answers.push(await stage.driver.perform(make()));
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, lane));
  return answers;
}

/** A slow machine gets fewer requests, not a queue of them. */
const MAX_FLYING = 60;
/** Stays that the stream leaves to the phases that need a certain number. */
const RESERVED = 1_500;

/** A steady stream of requests; `stop` waits until all of them are answered. */
export function load(stage: Stage, perSecond: number): { stop(): Promise<void> } {
  const flying = new Set<Promise<unknown>>();
  const timer = setInterval(() => {
    if (flying.size >= MAX_FLYING || stage.stays.plain.length < RESERVED) return;
    const sent: Promise<unknown> = stage.driver
      .perform(anyOperation(stage))
      .catch((error: unknown) => stage.problems.push(String(error)))
      .finally(() => flying.delete(sent));
    flying.add(sent);
  }, 1_000 / perSecond);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(flying);
    },
  };
}

/** Lets sagas pile up, so that a fault right after finds `count` of them running. */
export async function pileUp(stage: Stage, count: number): Promise<void> {
  const workers = stage.fleet.running('worker');
  for (const name of workers) stage.fleet.signal(name, 'SIGSTOP');
  try {
    await burst(stage, count);
  } finally {
    for (const name of workers) stage.fleet.signal(name, 'SIGCONT');
  }
}

export async function openSagas({ db }: Stage): Promise<number> {
  const [row] = await db.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM saga WHERE status IN ('pending', 'running', 'compensating')`,
  );
  return row?.n ?? 0;
}

/** Waits until no saga is open and the outbox is empty; answers whether that came within the time. */
export async function settle(stage: Stage, withinMs = 60_000): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const [row] = await stage.db.query<{ n: number }>(
      `SELECT (SELECT count(*) FROM saga WHERE status IN ('pending', 'running', 'compensating'))::int
        + (SELECT count(*) FROM outbox WHERE published_at IS NULL)::int AS n`,
    );
    if (row?.n === 0) return true;
    if (Date.now() > deadline) return false;
    await sleep(100);
  }
}

/** Settles and says how long that took; not to settle is a problem. */
export async function mustSettle(stage: Stage, after: string): Promise<void> {
  const began = Date.now();
  if (await settle(stage)) {
    stage.say(`  settled ${((Date.now() - began) / 1000).toFixed(1)} s after ${after}`);
    return;
  }
  stage.problems.push(`not settled 60 s after ${after}: ${await openSagas(stage)} sagas open`);
  stage.say(`  NOT settled after ${after}`);
}
