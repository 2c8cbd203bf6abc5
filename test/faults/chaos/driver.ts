import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosDatabase } from './database.ts';

/** The clients: each operation is repeated with its key until it is answered, and every attempt is written down. */
export type Action = 'confirm' | 'payment';
export interface Operation {
  readonly reservationId: string;
  readonly action: Action;
  readonly key: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** `Prefer` header; none: the API's own wait. */
  readonly prefer?: string;
  /** Asked first; later attempts go to any. */
  readonly firstTo?: string;
}
export interface Answer {
  readonly status: number;
  readonly code: string | null;
  readonly sagaId: string | null;
  readonly body: string;
  readonly attempts: number;
  readonly ms: number;
}
interface Attempt {
  readonly opId: string;
  readonly action: Action;
  readonly key: string;
  readonly reservationId: string;
  readonly status: number | null;
  readonly code: string | null;
  readonly sagaId: string | null;
  /** `pending`, `parked` or `waiting` of a 202. */
  readonly sagaStatus: string | null;
  readonly bodyHash: Buffer | null;
  readonly phase: string;
  readonly ms: number;
  readonly problem: string | null;
}

export interface Driver {
  phase: string;
  readonly attempts: readonly Attempt[];
  /** Repeats it until it is answered. */
  perform(operation: Operation): Promise<Answer>;
  /** One attempt, whatever comes of it; null when there was no answer. */
  attempt(operation: Operation, api?: string): Promise<Answer | null>;
  inFlight(): number;
  /** Operations that were given up. */
  readonly unanswered: readonly string[];
  save(db: ChaosDatabase): Promise<void>;
}

export const PRINCIPAL = 'admin-1';
const GIVE_UP_AFTER_MS = 90_000;
const ATTEMPT_TIMEOUT_MS = 20_000;
/** Answers after which a client tries again with the same key. */
const UNDECIDED = new Set([500, 502, 503]);

export const newKey = (): string => randomUUID();

export function createDriver(apis: readonly string[], token: string): Driver {
  const attempts: Attempt[] = [];
  const unanswered: string[] = [];
  let flying = 0;
  let turn = 0;
  let saved = 0;

  async function attempt(operation: Operation, opId: string, count: number, api: string): Promise<Answer | null> {
    const { key, reservationId, action, body, prefer } = operation;
    const began = performance.now();
    const note = (rest: Pick<Attempt, 'status' | 'code' | 'sagaId' | 'sagaStatus' | 'bodyHash' | 'problem'>): void => {
      const ms = Math.round(performance.now() - began);
      attempts.push({ opId, key, reservationId, action, phase: driver.phase, ms, ...rest });
    };
    try {
      const response = await fetch(`${api}/api/production/reservations/${reservationId}/${action}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'idempotency-key': key,
          ...(prefer === undefined ? {} : { prefer }),
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
      });
      const text = await response.text();
      const { code, sagaId, sagaStatus } = readBody(text);
      const bodyHash = createHash('sha256').update(text).digest();
      note({
        status: response.status,
        code,
        sagaId,
        sagaStatus: response.status === 202 ? sagaStatus : null,
        bodyHash,
        problem: null,
      });
      const ms = performance.now() - began;
      return { status: response.status, code, sagaId, body: text, attempts: count, ms };
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const nothing = { status: null, code: null, sagaId: null, sagaStatus: null, bodyHash: null };
      note({ ...nothing, problem: String(cause).slice(0, 200) });
      return null;
    }
  }

  const nextApi = (): string => {
    turn += 1;
    return apis[turn % apis.length] ?? '';
  };

  const driver: Driver = {
    phase: 'start',
    attempts,
    unanswered,
    inFlight: () => flying,
    attempt: (operation, api) => attempt(operation, randomUUID(), 1, api ?? nextApi()),
    perform: async (operation) => {
      const opId = randomUUID();
      const deadline = Date.now() + GIVE_UP_AFTER_MS;
      flying += 1;
      try {
        for (let count = 1; ; count += 1) {
          const api = count === 1 && operation.firstTo !== undefined ? operation.firstTo : nextApi();
          const answer = await attempt(operation, opId, count, api);
          if (answer && isDecided(answer)) return answer;
          if (Date.now() > deadline) {
            unanswered.push(operation.key);
            throw new Error(`no answer for key ${operation.key} in ${GIVE_UP_AFTER_MS / 1000} s`);
          }
          await sleep(Math.min(1_000, 50 * 2 ** Math.min(count, 5)) * (0.5 + Math.random()));
        }
      } finally {
        flying -= 1;
      }
    },
    save: async (db) => {
      const rows = attempts.slice(saved);
      saved = attempts.length;
      await db.query(
        `INSERT INTO chaos.client_op (op_id, principal, idem_key, http_status, saga_status, error_code, saga_id, body_sha256, reservation_id, phase, ms, problem)
         SELECT op, $1, key, status, saga_status, code, saga, decode(hash, 'hex'), stay, phase, ms, problem
           FROM jsonb_to_recordset($2::jsonb) r(op text, key text, status int, saga_status text, code text, saga text, hash text, stay text, phase text, ms int, problem text)`,
        [
          PRINCIPAL,
          JSON.stringify(
            rows.map((row) => ({
              op: row.opId,
              key: row.key,
              status: row.status,
              saga_status: row.sagaStatus,
              code: row.code,
              saga: row.sagaId,
              hash: row.bodyHash?.toString('hex') ?? null,
              stay: row.reservationId,
              phase: row.phase,
              ms: row.ms,
              problem: row.problem,
            })),
          ),
        ],
      );
    },
  };
  return driver;
}

/** A stored ending is an answer even when its status says that something was unavailable. */
const isDecided = ({ status, code, sagaId }: Answer): boolean =>
  sagaId !== null || !(UNDECIDED.has(status) || code === 'IDEMPOTENCY_IN_PROGRESS');

/** A refusal that only mentions another saga in its details started none. */
function readBody(text: string): Pick<Attempt, 'code' | 'sagaId' | 'sagaStatus'> {
  try {
    const body = JSON.parse(text) as {
      code?: unknown;
      sagaExecutionId?: unknown;
      data?: { sagaExecutionId?: unknown; status?: unknown };
    };
    const sagaId = body.sagaExecutionId ?? body.data?.sagaExecutionId;
    return {
      code: typeof body.code === 'string' ? body.code : null,
      sagaId: typeof sagaId === 'string' ? sagaId : null,
      sagaStatus: typeof body.data?.status === 'string' ? body.data.status : null,
    };
  } catch {
    return { code: 'NOT_JSON', sagaId: null, sagaStatus: null };
  }
}
