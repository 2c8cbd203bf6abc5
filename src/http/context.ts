import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { JwtConfig } from '../config.ts';
import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import type { Author } from '../domain/audit/record.ts';
import type { AnswerSeal } from '../domain/idempotency/store.ts';
import type { Ports, WebhookReceiver, WebhookSender } from '../domain/ports.ts';
import type { SagaOrchestrator } from '../engine/types.ts';
import type { ProxyTrust } from '../kernel/client-address.ts';
import type { Clock } from '../kernel/clock.ts';
import { required } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import type { Caller } from './auth.ts';
import type { CursorSeal } from './cursor.ts';
import type { LinkSeal } from './link-seal.ts';

/** Readiness names what fails for the log; callers only hear `ok` or `fail`. */
export interface Readiness {
  readonly ok: boolean;
  readonly failing: readonly string[];
}

export interface AppDeps {
  readonly db: Db;
  readonly orchestrator: SagaOrchestrator;
  readonly jwt: JwtConfig;
  /** On whose clock bare dates are days, where neither a property nor the request says so. */
  readonly agencyTimeZone: string;
  /** How long a request waits for its saga to end, at the most. */
  readonly sagaWaitMs: number;
  readonly log: Logger;
  readonly clock: Clock;
  /** Where this installation is reached from outside, path prefix included, without a slash at its end. */
  readonly publicUrl: string;
  /** Whose word on a client's address is taken; absent: nobody's. */
  readonly proxyTrust?: ProxyTrust;
  /** Asked for their records, and whether they exist at all; money moves in sagas alone. */
  readonly ports: Ports;
  /** Providers that may call `webhooks/<id>`, by their id. */
  readonly receivers: ReadonlyMap<string, WebhookReceiver>;
  /** Calls the addresses of webhook endpoints, for a test of one. */
  readonly webhooks: WebhookSender;
  /** Aborted when the process ends: streams do not wait for their clients. */
  readonly closing?: AbortSignal;
  readiness(): Promise<Readiness>;
}
/** With what `createApp` makes itself. */
export interface Services extends AppDeps {
  readonly cursors: CursorSeal;
  readonly answers: AnswerSeal;
  readonly links: LinkSeal;
}

export interface AppEnv {
  Variables: {
    requestId: string;
    /** The client's address, as far as it can be believed (`kernel/client-address.ts`). */
    ip: string | null;
    /** The matched pattern, never the path: a path holds ids. */
    route?: string;
    caller?: Caller;
    /** Of the route's JSON body: unknown fields are told the nearest known one. */
    bodySchema?: unknown;
    /** What was thrown, for the request's log line. */
    failure?: unknown;
  };
}
export type App = OpenAPIHono<AppEnv>;
/** A context of any route. */
export type AnyContext = Context<AppEnv>;

export const callerOf = (c: AnyContext): Caller => required(c.get('caller'), 'the caller of a guarded route');

export const authorOf = (c: AnyContext): Author => ({
  actor: callerOf(c).principal,
  requestId: c.get('requestId'),
  ip: c.get('ip'),
});

/** A change and its audit row in one transaction; run again when it lost a deadlock. */
export const inTransaction = <T>(deps: AppDeps, work: (tx: Tx) => Promise<T>): Promise<T> =>
  retryContention(() => deps.db.transaction().execute(work));
