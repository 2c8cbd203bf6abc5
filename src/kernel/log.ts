import { type DestinationStream, type Logger, pino } from 'pino';
import { idsForLog } from './log-context.ts';
import { describeFailure } from './outages.ts';

export type { Logger };

const UNESCAPED = /[\u007f-\u009f\u2028\u2029]/g;
/** JSON leaves some characters as they are by which a terminal may be told something: DEL, C1 and two ends of lines. */
const escaped = (line: string): string =>
  line.replace(UNESCAPED, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** JSON lines on stdout: constant messages, ids as fields; never guest data, never a token. */
export function createLogger(role: string, level: string, to?: DestinationStream): Logger {
  const options = {
    level,
    base: { role, pid: process.pid },
    mixin: idsForLog,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: ['authorization', 'token', 'password', '*.authorization', '*.token', '*.password'],
      censor: '[redacted]',
    },
    serializers: { err: describeFailure },
    hooks: { streamWrite: escaped },
  };
  return pino(options, to);
}
