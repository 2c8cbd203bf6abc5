import { format } from 'node:util';
import type { Logger } from './log.ts';

const MAX_TEXT = 1_000;
/** Libraries repeat themselves for each of their connections. */
const MAX_REMEMBERED = 100;
const EVICTION = /eviction policy is (\S+?)\.? /i;

/**
 * Output of libraries to the console, and Node's own warnings, become log lines: a program's output is JSON and
 * nothing else. The same text is written once.
 */
export function consoleToLog(log: Logger): void {
  const written = new Set<string>();
  const once = (text: string, write: () => void): void => {
    if (written.has(text) || written.size >= MAX_REMEMBERED) return;
    written.add(text);
    write();
  };
  const line =
    (level: 'error' | 'warn' | 'info' | 'debug') =>
    (...said: readonly unknown[]): void => {
      const text = format(...said).slice(0, MAX_TEXT);
      const policy = EVICTION.exec(text)?.[1];
      once(policy ?? text, () => {
        if (policy === undefined) log[level]({ text }, 'a library wrote to the console');
        else log.error({ policy, set: 'maxmemory-policy noeviction' }, 'redis may throw jobs away');
      });
    };
  Object.assign(console, {
    error: line('error'),
    warn: line('warn'),
    trace: line('warn'),
    log: line('info'),
    info: line('info'),
    debug: line('debug'),
  });
  // Node's own listener writes them to stderr as text.
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    const { name, message } = warning;
    once(`${name} ${message}`, () => log.warn({ name, text: message.slice(0, MAX_TEXT) }, 'node warns'));
  });
}
