import { prettyFactory } from 'pino-pretty';

/** What `npm start` tells about itself while it works. */

type Say = (line: string) => void;

/** `0.4 s`, `34 s`. */
export const secondsOf = (ms: number): string => `${ms < 9_950 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`;

/** Tells when a part of the work begins, and how long it took; of one that fails its own error tells. */
export function createStages(say: Say, nowMs: () => number = () => performance.now()) {
  return async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    const beganMs = nowMs();
    say(`${name} ...`);
    const result = await work();
    say(`  done in ${secondsOf(nowMs() - beganMs)}`);
    return result;
  };
}

/**
 * A line of a program's log, for whoever reads it: formatted on a terminal, and as it is for another program. Lines that are
 * not of the log stay as they are.
 */
export function logLineFor(
  { isTTY = false }: { readonly isTTY?: boolean },
  isColoured = true,
): (line: string) => string {
  if (!isTTY) return (line) => line;
  const pretty = prettyFactory({
    colorize: isColoured,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,name,role,v',
    singleLine: true,
  });
  return (line) => (line.startsWith('{') ? pretty(line).trimEnd() : line);
}
