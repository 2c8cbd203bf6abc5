import type { Finding } from '../../domain/incidents/findings.ts';
import { withTimeout } from '../../kernel/time-limit.ts';
import type { QueueConnection } from '../../queues/connection.ts';
import type { Schedules } from '../../queues/schedules.ts';
import type { Sign } from '../sign.ts';

/** What a watchdog asks of Redis. */
export type WatchedQueues = Pick<QueueConnection, 'producer' | 'queues' | 'isReady'>;

/** One that hangs is away as well. */
const PING_TIMEOUT_MS = 2_000;

/** Whether Redis answers, keeps what it is given, and the queues run and are woken by the clock. Without an answer nothing else is known. */
export const redisSign = (queues: WatchedQueues, schedules: Schedules): Sign => ({
  name: 'redis',
  kinds: ['REDIS_AWAY', 'REDIS_POLICY', 'REDIS_FULL', 'QUEUE_PAUSED', 'SCHEDULE_MISSING'],
  async look() {
    if (!(await answers(queues))) {
      return { found: [{ kind: 'REDIS_AWAY', subject: 'redis' }], checked: ['REDIS_AWAY'] };
    }
    return [...(await lookAtMemory(queues)), ...(await lookAtQueues(queues, schedules))];
  },
});

async function answers({ producer, isReady }: WatchedQueues): Promise<boolean> {
  if (!isReady()) return false;
  const tooLate = (cause: unknown): Error => new Error('no answer in time', { cause });
  try {
    await withTimeout({ timeoutMs: PING_TIMEOUT_MS, error: tooLate }, () => producer.ping());
    return true;
  } catch {
    return false;
  }
}

async function lookAtMemory({ producer }: WatchedQueues): Promise<readonly Finding[]> {
  const info = await producer.info('memory');
  const policy = valueIn(info, 'maxmemory_policy');
  const most = Number(valueIn(info, 'maxmemory') ?? 0);
  const used = Number(valueIn(info, 'used_memory') ?? 0);
  const found: Finding[] = [];
  if (policy !== null && policy !== 'noeviction') found.push({ kind: 'REDIS_POLICY', subject: policy });
  if (most > 0 && used > most * FULL_AT) found.push({ kind: 'REDIS_FULL', subject: 'redis' });
  return found;
}
const FULL_AT = 0.9;
const valueIn = (info: string, name: string): string | null =>
  new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;

async function lookAtQueues({ queues }: WatchedQueues, schedules: Schedules): Promise<readonly Finding[]> {
  const found = await Promise.all(
    queues.map(async (queue): Promise<Finding[]> => {
      const wanted = Object.values(schedules[queue.name]?.jobs ?? {}).map(({ scheduler }) => scheduler);
      const [paused, there] = await Promise.all([queue.isPaused(), queue.getJobSchedulers(0, MAX_SCHEDULERS)]);
      const known = new Set(there.map(({ key }) => key));
      return [
        ...(paused ? [{ kind: 'QUEUE_PAUSED', subject: queue.name } as const] : []),
        ...wanted
          .filter((scheduler) => !known.has(scheduler))
          .map((subject) => ({ kind: 'SCHEDULE_MISSING', subject }) as const),
      ];
    }),
  );
  return found.flat();
}
const MAX_SCHEDULERS = 100;
