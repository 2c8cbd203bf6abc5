import { setTimeout as sleep } from 'node:timers/promises';
import type { Role } from '../src/http/auth.ts';

/** A client of the API that repeats what the moment has refused, and tells what was refused for good. */

export interface Actor {
  readonly role: Role;
  readonly sub: string;
}
export interface Step {
  /** Of its Idempotency-Key. */
  readonly key: string;
  readonly who: Actor;
  /** POST, unless it is said. */
  readonly method?: 'POST' | 'PATCH';
  readonly path: string;
  readonly body: object;
  /** A person is to be waited for: that is its end for now. */
  readonly mayWait?: boolean;
}
export interface Client {
  /** Throws `NotDone`. */
  send(step: Step): Promise<void>;
  /** The data at an address; null when there is nothing. Throws `NotDone`. */
  find<T>(who: Actor, path: string): Promise<T | null>;
}
export interface ClientOptions {
  readonly api: string;
  readonly tokenFor: (role: Role, sub: string) => Promise<string>;
  readonly signal: AbortSignal;
  readonly withinMs: number;
}

export class NotDone extends Error {
  override readonly name = 'NotDone';
  /** It may well be done later. */
  readonly isForNow: boolean;
  constructor(message: string, isForNow = false) {
    super(message);
    this.isForNow = isForNow;
  }
}

const API = '/api/production';
const AGAIN_MS = 250;
const ANSWER_WITHIN_MS = 20_000;
/** What another request, or the moment, stands in the way of. */
const MOMENTARY = new Set(['IDEMPOTENCY_IN_PROGRESS', 'SAGA_IN_PROGRESS']);

interface Answer {
  readonly status: number;
  /** It is what was answered before under the same key. */
  readonly isRepeat: boolean;
  readonly data?: unknown;
  readonly code?: string;
  readonly error?: string;
}

export function createClient({ api, tokenFor, signal, withinMs }: ClientOptions): Client {
  const deadline = performance.now() + withinMs;
  const tokens = new Map<string, Promise<string>>();
  const tokenOf = ({ role, sub }: Actor): Promise<string> => {
    const token = tokens.get(sub) ?? tokenFor(role, sub);
    tokens.set(sub, token);
    return token;
  };

  async function ask(who: Actor, path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(`${api}${API}${path}`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${await tokenOf(who)}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
    });
    const isRepeat = response.headers.get('idempotency-replayed') === 'true';
    return { ...(JSON.parse(await response.text()) as object), status: response.status, isRepeat };
  }

  /** Until it is answered for good. An answer that was lost is asked for again, under the same key. */
  async function settle(what: string, request: () => Promise<Answer>, isOpen: (answer: Answer) => boolean) {
    for (;;) {
      const answer = await request().catch((error: unknown) => {
        if (signal.aborted) throw new NotDone(`${what} was stopped`, true);
        return error instanceof Error ? error : new Error(String(error));
      });
      if (!(answer instanceof Error) && !isOpen(answer)) return answer;
      if (performance.now() > deadline) {
        const why = answer instanceof Error ? answer.message : (answer.error ?? `it answers ${answer.status}`);
        throw new NotDone(`${what} was not done in time (${why})`, true);
      }
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  const refused = (what: string, { status, code, error }: Answer): NotDone =>
    new NotDone(`${what} was refused: ${error ?? 'no reason was given'} (${[status, code].filter(Boolean).join(' ')})`);

  return {
    async send({ key, who, method = 'POST', path, body, mayWait = false }) {
      const what = `${method} ${path}`;
      const init = {
        method,
        headers: { 'content-type': 'application/json', 'idempotency-key': `demo-${key}` },
        body: JSON.stringify(body),
      };
      const waits = (answer: Answer): boolean => answer.status === 202 && statusOf(answer) === 'parked';
      const answer = await settle(
        what,
        () => ask(who, path, init),
        (each) => isMomentary(each) || (each.status === 202 && !waits(each)),
      );
      if (waits(answer) && !mayWait) throw new NotDone(`${what} waits for a person`);
      if (answer.status >= 300) throw refused(what, answer);
    },
    async find<T>(who: Actor, path: string) {
      const what = `GET ${path}`;
      const answer = await settle(what, () => ask(who, path, {}), isMomentary);
      if (answer.status === 404) return null;
      if (answer.status >= 300) throw refused(what, answer);
      return answer.data as T;
    },
  };
}

const isMomentary = ({ status, code, isRepeat }: Answer): boolean =>
  status === 429 || (status >= 500 && !isRepeat) || (code !== undefined && MOMENTARY.has(code));

function statusOf({ data }: Answer): unknown {
  return typeof data === 'object' && data !== null && 'status' in data ? data.status : undefined;
}
