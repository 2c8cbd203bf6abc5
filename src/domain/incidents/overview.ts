import type { WatchState } from './watch.ts';

/** How the system stands, for the people who run it. Whoever has the queues and the due rows tells it (`AppDeps.system`). */

export interface QueueState {
  readonly name: string;
  readonly isPaused: boolean;
  /** Jobs that could be taken, that are being done, that wait for their time or for others, and that have failed. */
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly failed: number;
  /** For how long the oldest that could be taken waits, in seconds; null: none waits. */
  readonly oldestSeconds: number | null;
}
export interface ScheduleState {
  readonly queue: string;
  readonly job: string;
  readonly everyMs: number | null;
  /** Null: it is not planned. */
  readonly nextAt: Date | null;
}
export interface DueState {
  /** In plain words, plural. */
  readonly what: string;
  readonly count: number;
  /** Null: nothing is due, or no column says since when. */
  readonly oldestSeconds: number | null;
  /** Due for so long, it is late; null: nobody is told. */
  readonly lateAfterMinutes: number | null;
}

/** One of those that the clock runs, by a name that stays. */
export interface NamedSchedule {
  readonly name: string;
  readonly queue: string;
  readonly job: string;
  readonly everyMs: number;
}
/** The work of the clock, for people who want it done now. */
export interface SchedulesByHand {
  readonly all: readonly NamedSchedule[];
  /** Has it run as soon as a worker takes it. False: the queues do not answer just now. Throws `RangeError` for another name. */
  run(name: string): Promise<boolean>;
}

/** The queues, for people who pause and resume them. */
export interface QueuesByHand {
  readonly names: readonly string[];
  /** Null: the queues do not answer just now. */
  states(): Promise<readonly Pick<QueueState, 'name' | 'isPaused'>[] | null>;
  /** Idempotent. False: the queues do not answer just now. Throws `RangeError` for another name. */
  set(name: string, isPaused: boolean): Promise<boolean>;
}

/** Records that are forgotten some time. */
export interface KeptState {
  /** A word for them. */
  readonly what: KeptKind;
  readonly days: number;
  /** The oldest that is there; null: there is none. Of what ends some time, its end. */
  readonly oldestAt: Date | null;
}
export type KeptKind = 'events' | 'keys' | 'failures' | 'sessions' | 'links';

/** When the audit trail was last verified as unchanged, and when the books were last found to agree. */
export interface SealState {
  readonly watch: WatchState;
  /** The last check of all of the money; null: there was none. */
  readonly money: { readonly finishedAt: Date; readonly differences: number } | null;
}

export interface SystemReader {
  /** Null: the queues do not answer just now. */
  queues(): Promise<{ readonly queues: readonly QueueState[]; readonly schedules: readonly ScheduleState[] } | null>;
  due(): Promise<readonly DueState[]>;
  /** Absent: nobody tells. */
  kept?(): Promise<readonly KeptState[]>;
  seals?(): Promise<SealState>;
}
