import { sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { canBeOfRow } from '../domain/sweeps/isolate.ts';
import { createAlarm, type Wait } from '../kernel/alarm.ts';
import { createFailuresInARow } from '../kernel/failures.ts';
import type { Logger } from '../kernel/log.ts';
import type { QueueConnection } from '../queues/connection.ts';
import { alertAboutLoop } from '../queues/failing-loop.ts';
import { runNow } from '../queues/schedules.ts';
import type { SweepRow } from './jobs.ts';

/**
 * Runs sweeps when something is due for them. Once a second one statement asks Postgres about all of a process's sweeps; those
 * that would find something get a job. What is due in a second is so worked on together, and a system in which nothing happens
 * runs no job for nothing. It needs no hint from whoever made something due, so none can be lost; and the schedules of the
 * same jobs find everything a little later should nobody look.
 */
export interface DueLook {
  start(): void;
  stop(): Promise<void>;
  /** One look, for tests: runs what is due, and answers the names of those jobs, `<queue>.<job>`. */
  look(): Promise<readonly string[]>;
}
export interface DueLookParts {
  readonly db: Db;
  readonly queues: Pick<QueueConnection, 'queue' | 'isReady' | 'onReady' | 'noteFailure' | 'noteAnswer'>;
  readonly log: Logger;
  /** Between two looks. */
  readonly wait?: Wait;
}

/** The part of the table of jobs that says what is due. */
type DueTable = Readonly<
  Record<string, { readonly jobs: Readonly<Record<string, Pick<SweepRow<never>, 'scheduler' | 'due'>>> }>
>;

const LOOK_MS = 1_000;

/** A sweep that is run when something is due. */
interface Sleeper {
  readonly name: string;
  readonly queue: string;
  readonly job: string;
  readonly scheduler: string;
  readonly due: NonNullable<SweepRow<never>['due']>;
}

/** Of the table's sweeps on the given queues, those that say when something is due. */
const sleepersOf = (table: DueTable, served: readonly string[]): readonly Sleeper[] =>
  Object.entries(table).flatMap(([queue, { jobs }]) =>
    Object.entries(jobs).flatMap(([job, { scheduler, due }]) =>
      due && served.includes(queue) ? [{ name: `${queue}.${job}`, queue, job, scheduler, due }] : [],
    ),
  );

/** Looks for the sweeps of the queues that this process serves; without any it does nothing. */
export function createDueLook(
  table: DueTable,
  served: readonly string[],
  { db, queues, log, wait }: DueLookParts,
): DueLook {
  const sleepers = sleepersOf(table, served);
  const stopping = new AbortController();
  const alarm = createAlarm(wait);
  const failures = createFailuresInARow(log, {
    begins: 'what is due could not be looked for',
    ends: 'what is due is looked for again',
    level: 'warn',
  });
  let loop: Promise<void> = Promise.resolve();

  async function look(): Promise<readonly string[]> {
    const due = await dueOf(db, sleepers);
    const runs = await Promise.allSettled(due.map((one) => runNow(queues.queue(one.queue), one.job, one)));
    const refused = runs.find((run) => run.status === 'rejected');
    if (refused) throw refused.reason;
    return due.map(({ name }) => name);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // Without Redis there is nowhere to run anything.
      if (queues.isReady()) {
        try {
          if ((await look()).length > 0) queues.noteAnswer();
          failures.succeeded();
        } catch (error) {
          queues.noteFailure(error);
          failures.failed(error);
          await alertAboutLoop(db, 'due', failures.current());
        }
      }
      await alarm.sleep(LOOK_MS, stopping.signal);
    }
  }

  return {
    look,
    start: () => {
      if (sleepers.length === 0) return;
      queues.onReady(alarm.ring);
      loop = run();
    },
    stop: async () => {
      stopping.abort();
      await loop;
    },
  };
}

/** One statement for all. When a row spoils it, each is asked by itself. */
async function dueOf(db: Db, sleepers: readonly Sleeper[]): Promise<readonly Sleeper[]> {
  if (sleepers.length === 0) return [];
  try {
    return await askAbout(db, sleepers);
  } catch (error) {
    if (!canBeOfRow(error)) throw error;
  }
  const due: Sleeper[] = [];
  for (const one of sleepers) due.push(...(await askAlone(db, one)));
  return due;
}

/** One that cannot be asked about is due: its sweep isolates the row that is bad, and works on the others. */
async function askAlone(db: Db, one: Sleeper): Promise<readonly Sleeper[]> {
  try {
    return await askAbout(db, [one]);
  } catch (error) {
    if (!canBeOfRow(error)) throw error;
    return [one];
  }
}

async function askAbout(db: Db, sleepers: readonly Sleeper[]): Promise<readonly Sleeper[]> {
  const answers = sleepers.map(({ due }, n) => sql`(${sql.join(due, sql` OR `)}) AS ${sql.id(`due_${n}`)}`);
  const { rows } = await sql<Readonly<Record<string, boolean>>>`SELECT ${sql.join(answers)}`.execute(db);
  return sleepers.filter((_one, n) => rows[0]?.[`due_${n}`] === true);
}
