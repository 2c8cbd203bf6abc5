import { classifyDbError } from '../db/errors.ts';
import { kindOfError, RoomyError } from '../kernel/errors.ts';
import type { RetryPolicy } from './step.ts';

/** The step may succeed later: the job is to be tried again, with back-off. */
export class StepRetry extends Error {
  override readonly name = 'StepRetry';
  readonly policy: RetryPolicy;
  constructor(cause: unknown, policy: RetryPolicy) {
    // Bull Board shows it.
    super(kindOfError(cause), { cause });
    this.policy = policy;
  }
}

/** Postgres cannot be reached, or the definition is not known to this build: the job waits, and no attempt is used. */
export class StepDeferred extends Error {
  override readonly name = 'StepDeferred';
}

/** The step refused, itself or by a constraint. */
export function isRefusal(error: unknown): boolean {
  const { kind } = classifyDbError(error);
  return kind === 'refused' || kind === 'constraint' || isOwnRefusal(error);
}

/** Whether an error is a coded refusal, which no retry can change. */
export const isOwnRefusal = (error: unknown): error is RoomyError =>
  error instanceof RoomyError && error.kind === 'refusal';

/** Throws `StepDeferred` for an error that says that Postgres is away. */
export function deferIfUnreachable(error: unknown): void {
  if (classifyDbError(error).kind === 'unreachable')
    throw new StepDeferred('Postgres cannot be reached', { cause: error });
}

/** Runs work on the database. Throws `StepDeferred` while Postgres cannot be reached, else the error as it came. */
export async function orDefer<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    deferIfUnreachable(error);
    throw error;
  }
}
