import type { Finding } from '../../domain/incidents/findings.ts';
import type { QueueConnection } from '../../queues/connection.ts';
import type { Schedules } from '../../queues/schedules.ts';
import type { Sign } from '../sign.ts';

/** What a watchdog asks of Redis. */
export type WatchedQueues = Pick<QueueConnection, 'producer' | 'queues' | 'isReady'>;

/** Whether Redis answers at all. */
export const redisSign = ({ producer, isReady }: WatchedQueues): Sign => ({
  name: 'redis',
  kinds: ['REDIS_AWAY'],
  async look() {
    const answers = isReady() && (await producer.ping().catch(() => null)) !== null;
    return answers ? [] : [{ kind: 'REDIS_AWAY', subject: 'redis' }];
  },
});

/** Whether it keeps what it is given. */
export const redisMemorySign = ({ producer }: WatchedQueues): Sign => ({
  name: 'the memory of Redis',
  kinds: ['REDIS_POLICY', 'REDIS_FULL'],
  async look() {
    const info = await producer.info('memory');
    const policy = valueIn(info, 'maxmemory_policy');
    const most = Number(valueIn(info, 'maxmemory') ?? 0);
    const used = Number(valueIn(info, 'used_memory') ?? 0);
    const found: Finding[] = [];
    if (policy !== null && policy !== 'noeviction') found.push({ kind: 'REDIS_POLICY', subject: policy });
    if (most > 0 && used > most * FULL_AT) found.push({ kind: 'REDIS_FULL', subject: 'redis' });
    return found;
  },
});
const FULL_AT = 0.9;
const valueIn = (info: string, name: string): string | null =>
  new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;

/** Whether the queues run, and are woken by the clock. */
export const queueSign = ({ queues }: WatchedQueues, schedules: Schedules): Sign => ({
  name: 'queues',
  kinds: ['QUEUE_PAUSED', 'SCHEDULE_MISSING'],
  async look() {
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
  },
});
const MAX_SCHEDULERS = 100;
