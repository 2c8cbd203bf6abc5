import { sql } from 'kysely';
import type pg from 'pg';
import type { Direction } from '../../src/db/schema.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { ErasedContext, StepDefinition, Work } from '../../src/engine/step.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { type Testbed, until } from '../setup/engine.ts';

/** Definitions that fail on purpose, and a gate that holds a step open right at its commit. */

/**
 * - `refuses`: says no before it does anything, until it is cured;
 * - `breaks`: does its work and fails then: a local step inside its transaction, a call with the answer lost;
 * - `breaks-early`: a call that fails before anything is sent;
 * - `hangs-early`, `hangs-late`: a call that never answers, before or after the provider has acted.
 */
export type FaultMode = 'refuses' | 'breaks' | 'breaks-early' | 'hangs-early' | 'hangs-late';

export interface Fault {
  readonly step: number;
  readonly direction: Direction;
  readonly mode: FaultMode;
  /** This many attempts fail, the first ones. A refusal has no number: it is asked again by run-on without an attempt. */
  readonly times?: number;
}

/** Attempts of a forward step in a decorated definition. */
export const FORWARD_ATTEMPTS = 2;
const FAST = { attempts: FORWARD_ATTEMPTS, baseMs: 2, maxMs: 10 };

/** Versions from here on belong to decorated definitions, so that a saga and its plan of faults find each other. */
const FIRST_VERSION = 1_000;
let versions = FIRST_VERSION;

export interface Planned {
  readonly definition: SagaDefinition;
  /** Resolves when this many calls hang, the ones that were let go included. */
  hung(calls?: number): Promise<void>;
  /** Lets the call that has hung longest go on; it then answers. */
  release(): void;
  /** Ends the refusals made so far. */
  cure(): void;
}

/** The definition under a version of its own, with the faults in it, known to the whole bed. */
export async function withFault(bed: Testbed, definition: SagaDefinition, faults: readonly Fault[]): Promise<Planned> {
  versions += 1;
  const version = versions;
  const state: FaultState = { hangs: [], cured: false };
  const steps = definition.steps.map((step): StepDefinition => {
    const own = faults.filter((fault) => fault.step === step.no);
    const forward = own.find(({ direction }) => direction === 'F');
    const backward = own.find(({ direction }) => direction === 'C');
    return {
      ...step,
      retry: FAST,
      maxAttempts: FORWARD_ATTEMPTS,
      forward: failing(step.forward, forward, state),
      compensation: step.compensation && failing(step.compensation, backward, state),
    };
  });
  const decorated = { ...definition, version, steps };
  bed.register(decorated);
  for (const fault of faults) {
    const step = definition.steps[fault.step - 1];
    const work = fault.direction === 'F' ? step?.forward : step?.compensation;
    if (!step || !work) throw new Error(`no step ${fault.step}${fault.direction} to fail in ${definition.name}`);
    if (fault.mode !== 'breaks' || work.kind === 'call') continue;
    await sql`INSERT INTO chaos.broken (definition_ver, step_no, direction, times)
      VALUES (${version}, ${fault.step}, ${fault.direction}, ${fault.times ?? 1})`.execute(bed.db);
  }
  let released = 0;
  return {
    definition: decorated,
    hung: async (calls = 1) => {
      await until(`${calls} calls hang`, async () => state.hangs.length >= calls || undefined);
    },
    release: () => {
      state.hangs[released]?.();
      released += 1;
    },
    cure: () => {
      state.cured = true;
    },
  };
}

interface FaultState {
  /** Each lets one hanging call go on. */
  readonly hangs: (() => void)[];
  cured: boolean;
}

function failing(work: Work, fault: Fault | undefined, state: FaultState): Work {
  // A wait has no work of its own that could fail; one that breaks does so at its commit.
  if (!fault || work.kind === 'wait') return work;
  let left = fault.times ?? 1;
  const strikes = (): boolean => {
    left -= 1;
    return left >= 0;
  };
  const refuse = (): void => {
    if (fault.mode === 'refuses' && !state.cured)
      throw new RoomyError('NO_STAFF_AVAILABLE', { details: { by: 'test' } });
  };
  if (work.kind === 'statement') {
    return {
      ...work,
      values: (context: ErasedContext) => {
        refuse();
        return work.values?.(context) ?? {};
      },
    };
  }
  if (work.kind === 'call') {
    return {
      ...work,
      run: async (context: Parameters<typeof work.run>[0]) => {
        refuse();
        if (fault.mode === 'refuses' || !strikes()) return work.run(context);
        if (fault.mode === 'breaks-early') throw new Error('could not be sent');
        const answer = fault.mode === 'hangs-early' ? undefined : await work.run(context);
        if (fault.mode === 'breaks') throw new Error('the answer was lost');
        await new Promise<void>((release) => state.hangs.push(release));
        return answer ?? work.run(context);
      },
    };
  }
  if (work.kind === 'tx') {
    return {
      ...work,
      run: (context: Parameters<typeof work.run>[0]) => {
        refuse();
        return work.run(context);
      },
    };
  }
  return {
    ...work,
    run: (context: Parameters<typeof work.run>[0]) => {
      refuse();
      return work.run(context);
    },
  };
}

/**
 * Triggers by which the harness fails a step in the very transaction of its effect, after it was written, and stop one at its
 * commit. The gate is deferred, so that it closes when COMMIT has been sent.
 */
export const PLANT = `
CREATE TABLE chaos.broken (definition_ver int NOT NULL, step_no int NOT NULL, direction char(1) NOT NULL, times int NOT NULL,
  PRIMARY KEY (definition_ver, step_no, direction));
CREATE FUNCTION chaos.break_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM chaos.broken b JOIN saga s ON s.definition_ver = b.definition_ver
             WHERE s.id = NEW.saga_id AND b.step_no = NEW.step_no AND b.direction = NEW.direction AND NEW.attempt <= b.times) THEN
    RAISE EXCEPTION 'broken by the test' USING ERRCODE = 'XX000';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER break_step AFTER INSERT OR UPDATE ON saga_step FOR EACH ROW WHEN (NEW.status IN ('waiting', 'done')) EXECUTE FUNCTION chaos.break_step();

CREATE TABLE chaos.gate (definition_ver int NOT NULL, step_no int NOT NULL, direction char(1) NOT NULL, lock bigint NOT NULL,
  PRIMARY KEY (definition_ver, step_no, direction));
CREATE FUNCTION chaos.pass_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(g.lock) FROM chaos.gate g JOIN saga s ON s.definition_ver = g.definition_ver
   WHERE s.id = NEW.saga_id AND g.step_no = NEW.step_no AND g.direction = NEW.direction;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER pass_gate AFTER INSERT OR UPDATE ON saga_step DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.status IN ('waiting', 'done')) EXECUTE FUNCTION chaos.pass_gate();
`;

export interface Gate {
  /** Resolves when the step's COMMIT waits at the gate. */
  reached(): Promise<void>;
  /** The server goes on with the commit, whether or not its client is still there; resolves when it has. */
  open(): Promise<void>;
  /** The server ends the waiting transaction; resolves when its locks are gone. */
  slam(): Promise<void>;
}

/** Closes a gate at the commit of one step. `client` holds it until it is opened or slammed. */
export async function closeGate(
  client: pg.Client,
  definition: SagaDefinition,
  { step, direction }: Pick<Fault, 'step' | 'direction'>,
): Promise<Gate> {
  const lock = definition.version * 100 + step * 2 + (direction === 'F' ? 0 : 1);
  await client.query('SELECT pg_advisory_lock($1)', [lock]);
  await client.query('INSERT INTO chaos.gate VALUES ($1, $2, $3, $4)', [definition.version, step, direction, lock]);
  let waiting = 0;
  const gone = () =>
    until('the gate is passed', async () => {
      const { rowCount } = await client.query(
        'SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event IS DISTINCT FROM $2',
        [waiting, 'ClientRead'],
      );
      return rowCount === 0 ? true : undefined;
    });
  return {
    reached: async () => {
      waiting = await until(`step ${step}${direction} comes to its commit`, async () => {
        const { rows } = await client.query<{ pid: number }>(
          `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1`,
          [lock],
        );
        return rows[0]?.pid;
      });
    },
    open: async () => {
      await client.query('SELECT pg_advisory_unlock($1)', [lock]);
      await gone();
    },
    slam: async () => {
      await client.query('SELECT pg_terminate_backend($1)', [waiting]);
      await gone();
      await client.query('SELECT pg_advisory_unlock($1)', [lock]);
    },
  };
}
