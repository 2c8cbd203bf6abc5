import { type Logger, pino } from 'pino';
import { idsForLog } from './log-context.ts';
import { describeFailure } from './outages.ts';

export type { Logger };

/** JSON lines on stdout: constant messages, ids as fields; never guest data, never a token. */
export function createLogger(role: string, level: string): Logger {
  return pino({
    level,
    base: { role, pid: process.pid },
    mixin: idsForLog,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: ['authorization', 'token', 'password', '*.authorization', '*.token', '*.password'],
      censor: '[redacted]',
    },
    serializers: { err: describeFailure },
  });
}
