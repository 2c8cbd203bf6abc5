import { ConfigError } from '../config.ts';
import { createLogger, type Logger } from '../kernel/log.ts';
import { BackupError } from './format.ts';

/** Runs a program whose standard output may be the backup itself: it logs to the other stream, and ends with the code of `work`, or with 1. */
export async function endingWithCode(role: string, work: (log: Logger) => Promise<number>): Promise<void> {
  const log = createLogger(role, 'info', process.stderr);
  try {
    process.exitCode = await work(log);
  } catch (error) {
    process.exitCode = 1;
    const isOurs = error instanceof BackupError || error instanceof ConfigError || error instanceof RangeError;
    if (isOurs) log.fatal({ problems: error.message.split('\n').map((line) => line.trim()) }, 'nothing was done');
    else log.fatal({ err: error }, 'nothing was done');
  }
}

/** Ends what is under way at SIGTERM and SIGINT, so that nothing half is left behind. Afterwards they end the program as ever. */
export async function untilSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const signals = ['SIGTERM', 'SIGINT'] as const;
  for (const signal of signals) process.on(signal, end);
  try {
    return await work(ending.signal);
  } finally {
    for (const signal of signals) process.off(signal, end);
  }
}
