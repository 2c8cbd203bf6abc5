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

export interface SystemReader {
  /** Null: the queues do not answer just now. */
  queues(): Promise<{ readonly queues: readonly QueueState[]; readonly schedules: readonly ScheduleState[] } | null>;
  due(): Promise<readonly DueState[]>;
}
