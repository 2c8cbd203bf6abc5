import type { EventView } from '../../domain/events/feed.ts';
import { type EventFilter, readEvents } from '../../domain/events/feed.ts';
import type { MovingStep } from '../../engine/read/moving-steps.ts';
import { pause } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { Caller } from '../auth.ts';
import type { Services } from '../context.ts';
import { assertStillInForce } from '../standing.ts';

/** What one stream hears: the same for every way in which it is sent. */

export interface Wanted {
  readonly caller: Caller;
  /** The place after which it begins. */
  readonly start: number;
  readonly filter: EventFilter;
  /** Whether it hears of steps too. */
  readonly steps: boolean;
  /** So long a client may take for one event, in milliseconds; absent: 20 seconds. */
  readonly patienceMs?: number;
}
/** How it is sent. Each resolves when the client has taken it. */
export interface Sink {
  event(event: EventView): Promise<unknown>;
  step(step: Omit<MovingStep, 'startedBy'>): Promise<unknown>;
  /**
   * Everything up to this place has been told, or was not asked for: at the beginning, so that a client which is cut off before the
   * first event loses none, and now and then, so that both sides notice when the other is gone.
   */
  place(seq: number): Promise<unknown>;
}

const EVENTS_AT_ONCE = 200;
export const HEARTBEAT_MS = 15_000;
/** Who has been put out of force is noticed by then, also while nothing happens. */
export const LOOK_AT_CALLER_MS = 5_000;
/** One that is slower comes again, and goes on where it was. */
export const PATIENCE_MS = 20_000;

/**
 * Tells until the signal is aborted. Throws for a caller who is not in force any more, for a client that is too slow, and
 * `EVENTS_EXPIRED` or `EVENTS_NOT_REACHED` for a place that is gone: the client comes again, and is told so.
 */
export async function tell(
  services: Pick<Services, 'db' | 'live' | 'clock' | 'standing' | 'apiKeys'>,
  wanted: Wanted,
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  const { caller, filter, patienceMs = PATIENCE_MS } = wanted;
  const listener = services.live.join({ steps: wanted.steps });
  // A stream outlives the request that was let in, and a client may take its time between two events.
  const say = async (send: () => Promise<unknown>): Promise<void> => {
    await assertStillInForce(services, caller);
    if (!signal.aborted) await within(send(), patienceMs, signal);
  };
  let quietSince = performance.now();
  try {
    await say(() => sink.place(wanted.start));
    for (let position = wanted.start; !signal.aborted; ) {
      if (listener.isReset) throw new RoomyError('EVENTS_NOT_REACHED', { details: { asked: position } });
      const steps = listener.steps().filter((step) => isAbout(step, filter) && mayHear(caller, step));
      const { events, last } = await next(services, listener.after(position), position, filter);
      for (const event of events) await say(() => sink.event(event));
      for (const { startedBy: _, ...step } of steps) await say(() => sink.step(step));
      const now = performance.now();
      if (events.length > 0 || steps.length > 0) quietSince = now;
      else if (now - quietSince >= HEARTBEAT_MS) {
        quietSince = now;
        await say(() => sink.place(position));
      } else if (last === position) {
        await listener.wait(LOOK_AT_CALLER_MS, signal);
        await assertStillInForce(services, caller);
      }
      position = last;
    }
  } finally {
    listener.leave();
  }
}

/** A program sees the executions that it has started, and no others. */
const mayHear = (caller: Caller, { startedBy }: MovingStep): boolean =>
  caller.kind !== 'service' || caller.principal === startedBy;

/** From memory, else from the database. */
async function next(
  { db }: Pick<Services, 'db'>,
  remembered: readonly EventView[] | null,
  position: number,
  filter: EventFilter,
): Promise<{ readonly events: readonly EventView[]; readonly last: number }> {
  if (remembered === null) return readEvents(db, position, EVENTS_AT_ONCE, filter);
  return {
    events: remembered.filter((event) => fits(event, filter)),
    last: remembered.at(-1)?.seq ?? position,
  };
}

/** As the statement of the feed decides. */
function fits({ type, reservationId }: EventView, filter: EventFilter): boolean {
  const { types = [] } = filter;
  const isOfType = types.length === 0 || types.includes(type) || types.includes(`${type.split('.')[0]}.*`);
  return isOfType && (filter.reservationId === undefined || reservationId === filter.reservationId);
}
const isAbout = ({ reservationId }: MovingStep, filter: EventFilter): boolean =>
  filter.reservationId === undefined || reservationId === filter.reservationId;

/** Throws `TooSlow` where it is not sent in time. */
export async function within(sent: Promise<unknown>, patienceMs: number, signal: AbortSignal): Promise<void> {
  const taken = new AbortController();
  const late = pause(patienceMs, AbortSignal.any([taken.signal, signal])).then(() => 'late' as const);
  try {
    const first = await Promise.race([sent, late]);
    if (first === 'late' && !signal.aborted) throw new TooSlow();
  } finally {
    taken.abort();
  }
}

/** The client has not read for too long. */
export class TooSlow extends Error {
  constructor() {
    super('the client of a stream does not read');
    this.name = 'TooSlow';
  }
}
