import type { QueuesByHand } from '../domain/incidents/overview.ts';
import { isRedisAway, type QueueConnection } from './connection.ts';

/** Queues paused and resumed by people: what has begun ends, and nothing else of a paused queue is run. Redis keeps the state. */
export function queuesByHand({ queues, isReady }: Pick<QueueConnection, 'queues' | 'isReady'>): QueuesByHand {
  const whileThere = async <Told>(work: () => Promise<Told>, away: Told): Promise<Told> => {
    if (!isReady()) return away;
    try {
      return await work();
    } catch (error) {
      if (isRedisAway(error)) return away;
      throw error;
    }
  };
  return {
    names: queues.map(({ name }) => name),
    states: () =>
      whileThere(
        () => Promise.all(queues.map(async (queue) => ({ name: queue.name, isPaused: await queue.isPaused() }))),
        null,
      ),
    set: async (name, isPaused) => {
      const queue = queues.find((one) => one.name === name);
      if (!queue) throw new RangeError(`there is no queue ${name}`);
      return whileThere(async () => {
        await (isPaused ? queue.pause() : queue.resume());
        return true;
      }, false);
    },
  };
}
