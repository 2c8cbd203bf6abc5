import { type RawBuilder, sql } from 'kysely';
import pg from 'pg';
import type { Db } from '../db/client.ts';
import { compiledOnce } from '../db/compiled-once.ts';
import type { Logger } from '../kernel/log.ts';
import { logFailure } from '../kernel/outages.ts';
import { unpacked } from '../kernel/packed.ts';
import { ENDED_CHANNEL } from './store/ended.ts';
import type { SagaAnswer } from './types.ts';

/**
 * Lets requests wait for the answer of their saga, which is there when it has ended or is parked: one LISTEN connection
 * in each process in which somebody waits, one look-up for all sagas of the notifications of a tick, and a slow poll
 * besides, because a notification is a hint like any other.
 */
export interface AnswerWatcher {
  /** `look`: its answer may be there already. That of a saga that was accepted a moment ago is not. */
  wait(sagaId: string, waitMs: number, look: boolean, signal?: AbortSignal): Promise<SagaAnswer | null>;
  close(): Promise<void>;
}

const POLL_MS = 1_000;
const RECONNECT_MS = 1_000;
/** Ids in one notification; its payload may have 8 000 bytes. */
const MAX_IDS = 100;

type Waiter = (answer: SagaAnswer) => void;

/** Makes the watcher that lets requests wait for the answers of sagas, by notifications of Postgres. */
export function createAnswerWatcher(db: Db, databaseUrl: string, log: Logger): AnswerWatcher {
  const waiting = new Map<string, Set<Waiter>>();
  const notified = new Set<string>();
  let looking = false;

  /** One look-up at a time; sagas that are notified meanwhile go into the next. */
  async function readNotified(): Promise<void> {
    if (looking) return;
    looking = true;
    try {
      while (notified.size > 0) {
        const ids = [...notified];
        notified.clear();
        for (const { id, answer } of await readAnswers(db, ids))
          for (const finish of waiting.get(id) ?? []) finish(answer);
      }
    } catch (error) {
      logFailure(log, error, 'saga answers could not be read');
    } finally {
      looking = false;
    }
  }

  function notice(ids: Iterable<string>): void {
    for (const id of ids) if (waiting.has(id)) notified.add(id);
    void readNotified();
  }

  const noticeAll = (): void => notice(waiting.keys());
  let poll: NodeJS.Timeout | undefined;
  /** Rests while nobody waits. */
  function pollOrRest(): void {
    if (waiting.size === 0) {
      clearInterval(poll);
      poll = undefined;
    }
    noticeAll();
  }
  let listener: ReturnType<typeof listenForAnswers> | undefined;
  let isClosed = false;

  return {
    async wait(sagaId, waitMs, look, signal) {
      if (waitMs <= 0) return look ? ((await readAnswers(db, [sagaId]))[0]?.answer ?? null) : null;
      if (!isClosed) {
        listener ??= listenForAnswers(databaseUrl, notice, noticeAll);
        poll ??= setInterval(pollOrRest, POLL_MS);
      }
      return new Promise((resolve) => {
        const waiters = waiting.get(sagaId) ?? new Set<Waiter>();
        waiting.set(sagaId, waiters);
        const finish = (answer: SagaAnswer | null): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', onAbort);
          waiters.delete(finish);
          if (waiters.size === 0 && waiting.get(sagaId) === waiters) waiting.delete(sagaId);
          resolve(answer);
        };
        const onAbort = (): void => finish(null);
        const timer = setTimeout(() => finish(null), waitMs);
        signal?.addEventListener('abort', onAbort, { once: true });
        waiters.add(finish);
        if (look) notice([sagaId]);
      });
    },
    close: async () => {
      isClosed = true;
      clearInterval(poll);
      await listener?.close();
    },
  };
}

const selectAnswers = compiledOnce((db, ids: RawBuilder<readonly string[]>) =>
  db
    .selectFrom('saga')
    .select(['id', 'status', 'response_status', 'response_body', 'parked_body'])
    .where(sql<boolean>`id = ANY(${ids}::text[])`)
    .where(sql<boolean>`(finished_at IS NOT NULL OR status = 'parked')`)
    .compile(),
);

/** The answers of those of the sagas that have ended or are parked. */
async function readAnswers(
  db: Db,
  ids: readonly string[],
): Promise<readonly { readonly id: string; readonly answer: SagaAnswer }[]> {
  if (ids.length === 0) return [];
  const rows = await selectAnswers(db, ids);
  return rows.flatMap((row) => {
    // A person's retry may have ended it meanwhile; then its end is the answer.
    const status = row.status === 'parked' ? 202 : row.response_status;
    const body = row.status === 'parked' ? row.parked_body : row.response_body;
    return status === null || body === null ? [] : [{ id: row.id, answer: { status, body: unpacked(body) } }];
  });
}

/**
 * One LISTEN connection, which is made again whenever it is cut. `onListening`: from here on nothing is missed; what came
 * before has to be looked for.
 */
function listenForAnswers(
  databaseUrl: string,
  onIds: (ids: readonly string[]) => void,
  onListening: () => void,
): { close(): Promise<void> } {
  let client: pg.Client | null = null;
  let closed = false;

  async function listen(): Promise<void> {
    if (closed) return;
    const fresh = new pg.Client({ connectionString: databaseUrl, application_name: 'roomy-listen', keepAlive: true });
    let over = false;
    // A connection that is cut during its login ends twice: by its event and by the rejection.
    const again = (): void => {
      if (over) return;
      over = true;
      if (client === fresh) client = null;
      void fresh.end().catch(() => undefined);
      if (closed) return;
      setTimeout(() => {
        opening = listen();
      }, RECONNECT_MS).unref();
    };
    fresh.on('error', () => undefined);
    fresh.once('end', again);
    fresh.on('notification', ({ payload }) => onIds((payload ?? '').split(',')));
    try {
      await fresh.connect();
      await fresh.query(`LISTEN ${ENDED_CHANNEL}`);
      client = fresh;
      onListening();
    } catch {
      again();
    }
  }
  let opening = listen();

  return {
    close: async () => {
      closed = true;
      // One that is being opened is closed as well.
      await opening;
      await client?.end().catch(() => undefined);
    },
  };
}

/**
 * Notifies every process of the sagas that ended or were parked in this tick, once after their commits. A fused statement that
 * ends a saga does so itself.
 */
export function createAnswerNotifier(db: Db, log: Logger): (sagaId: string) => void {
  let ids: string[] = [];
  async function send(): Promise<void> {
    const batch = ids;
    ids = [];
    for (let from = 0; from < batch.length; from += MAX_IDS) {
      const payload = batch.slice(from, from + MAX_IDS).join(',');
      await sql`SELECT pg_notify(${ENDED_CHANNEL}, ${payload})`.execute(db).catch((error: unknown) => {
        log.debug({ err: error }, 'answers were not notified; waiters poll');
      });
    }
  }
  return (sagaId) => {
    ids.push(sagaId);
    if (ids.length === 1) setImmediate(() => void send());
  };
}
