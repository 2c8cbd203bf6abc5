import { AsyncLocalStorage } from 'node:async_hooks';
import { traceIds } from './telemetry/tracing.ts';

/** What a request or a run of steps is about: in every line that is logged meanwhile. Ids alone. */
export interface LogContext {
  requestId?: string | null;
  sagaId?: string;
  reservationId?: string;
}

const contexts = new AsyncLocalStorage<LogContext>();

/** Runs work whose log lines have these ids. */
export const withLogContext = <T>(about: LogContext, work: () => T): T => contexts.run({ ...about }, work);

/** Adds ids that became known meanwhile. Outside of any context nothing happens. */
export function noteInLog(about: LogContext): void {
  const here = contexts.getStore();
  if (here) Object.assign(here, about);
}

/** For the logger: the ids at hand. A line's own ids come before these. */
export function idsForLog(): object {
  const here = contexts.getStore();
  const trace = traceIds();
  return trace === null ? { ...here } : { ...here, ...trace };
}
