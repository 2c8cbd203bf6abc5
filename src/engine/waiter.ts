import { sql } from 'kysely';
import pg from 'pg';
import type { Db } from '../db/client.ts';
import type { Logger } from '../kernel/log.ts';
import { logFailure } from '../kernel/outages.ts';
import type { SagaAnswer } from './types.ts';

/**
 * Lets requests wait for the answer of their saga, which is there when it has ended or is parked: one LISTEN connection
 * in each process, one look-up for all sagas of the notifications of a tick, and a slow poll besides, because a
 * notification is a hint like any other.
 */
export interface AnswerWatcher {
  /** `look`: its answer may be there already. That of a saga that was accepted a moment ago is not. */
  wait(sagaId: string, waitMs: number, look: boolean, signal?: AbortSignal): Promise<SagaAnswer | null>;
  close(): Promise<void>;
}

const CHANNEL = 'roomy_saga_ended';
const POLL_MS = 1_000;
const RECONNECT_MS = 1_000;
/** Ids in one notification; its payload may have 8 000 bytes. */
const MAX_IDS = 100;

type Waiter = (answer: SagaAnswer) => void;

export function createAnswerWatcher(db: Db, databaseUrl: string, log: Logger): AnswerWatcher {
  const waiting = new Map<string, Set<Waiter>>();
  const notified = new Set<string>();
  let client: pg.Client | null = null;
  let closed = false;
  let looking = false;

  async function read(
    ids: readonly string[],
  ): Promise<readonly { readonly id: string; readonly answer: SagaAnswer }[]> {
    const rows = await db
      .selectFrom('saga')
      .select(['id', 'status', 'response_status', 'response_body', 'parked_body'])
      .where(sql<boolean>`id = ANY(${ids}::text[])`)
      .where(sql<boolean>`(finished_at IS NOT NULL OR status = 'parked')`)
      .execute();
    return rows.flatMap((row) => {
      // A person's retry may have ended it meanwhile; then its end is the answer.
      const status = row.status === 'parked' ? 202 : row.response_status;
      const body = row.status === 'parked' ? row.parked_body : row.response_body;
      return status === null || body === null ? [] : [{ id: row.id, answer: { status, body } }];
    });
  }

  async function answer(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    for (const { id, answer } of await read(ids)) for (const finish of waiting.get(id) ?? []) finish(answer);
  }

  /** One look-up at a time; sagas that are notified meanwhile go into the next. */
  async function readNotified(): Promise<void> {
    if (looking) return;
    looking = true;
    try {
      while (notified.size > 0) {
        const ids = [...notified];
        notified.clear();
        await answer(ids);
      }
    } catch (error) {
      logFailure(log, error, 'saga answers could not be read');
    } finally {
      looking = false;
    }
  }

  const poll = setInterval(() => {
    for (const id of waiting.keys()) notified.add(id);
    void readNotified();
  }, POLL_MS);

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
      if (!closed) setTimeout(() => void listen(), RECONNECT_MS).unref();
    };
    fresh.on('error', () => undefined);
    fresh.once('end', again);
    fresh.on('notification', ({ payload }) => {
      for (const id of (payload ?? '').split(',')) if (waiting.has(id)) notified.add(id);
      void readNotified();
    });
    try {
      await fresh.connect();
      await fresh.query(`LISTEN ${CHANNEL}`);
      client = fresh;
    } catch {
      again();
    }
  }
  void listen();

  return {
    async wait(sagaId, waitMs, look, signal) {
      if (waitMs <= 0) return look ? ((await read([sagaId]))[0]?.answer ?? null) : null;
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
        if (!look) return;
        notified.add(sagaId);
        void readNotified();
      });
    },
    close: async () => {
      closed = true;
      clearInterval(poll);
      await client?.end().catch(() => undefined);
    },
  };
}

/** Notifies every process of the sagas that ended or were parked in this tick, once after their commits. */
export function createAnswerNotifier(db: Db, log: Logger): (sagaId: string) => void {
  let ids: string[] = [];
  async function send(): Promise<void> {
    const batch = ids;
    ids = [];
    for (let from = 0; from < batch.length; from += MAX_IDS) {
      const payload = batch.slice(from, from + MAX_IDS).join(',');
      await sql`SELECT pg_notify(${CHANNEL}, ${payload})`.execute(db).catch((error: unknown) => {
        log.debug({ err: error }, 'answers were not notified; waiters poll');
      });
    }
  }
  return (sagaId) => {
    ids.push(sagaId);
    if (ids.length === 1) setImmediate(() => void send());
  };
}
