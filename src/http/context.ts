import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { JwtConfig, SigningKey } from '../config.ts';
import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import type { Author, Origin } from '../domain/audit/record.ts';
import type { SealParts } from '../domain/audit/seals/compare.ts';
import type { AnswerSeal } from '../domain/idempotency/store.ts';
import type { QueuesByHand, SchedulesByHand, SystemReader } from '../domain/incidents/overview.ts';
import type { Ports, WebhookReceiver, WebhookSender } from '../domain/ports.ts';
import type { IdentityProvider } from '../domain/ports-sign-in.ts';
import type { SagaOrchestrator } from '../engine/types.ts';
import type { ProxyTrust } from '../kernel/client-address.ts';
import type { Clock } from '../kernel/clock.ts';
import { required } from '../kernel/errors.ts';
import type { LinkSeal } from '../kernel/link-seal.ts';
import type { Logger } from '../kernel/log.ts';
import type { LimitNumbers, Quota, RateLimiter, Taken } from '../kernel/rate-limits.ts';
import type { TextSeal } from '../kernel/text-seal.ts';
import type { ApiKeyVerifier, Caller } from './auth.ts';
import { credentialOf } from './caller.ts';
import type { CursorSeal } from './cursor.ts';
import type { LiveFeed } from './live/feed.ts';
import type { OpenStreams } from './live/open-streams.ts';
import type { StandingGuard, StandingNews } from './standing.ts';

/** Readiness names what fails for the log; callers only hear `ok` or `fail`. */
export interface Readiness {
  readonly ok: boolean;
  readonly failing: readonly string[];
}

export interface AppDeps {
  readonly db: Db;
  readonly orchestrator: SagaOrchestrator;
  readonly jwt: JwtConfig;
  /** Of cursors, links and kept answers; absent: the secrets of `jwt`. */
  readonly sealKeys?: readonly SigningKey[];
  /** On whose clock bare dates are days, where neither a property nor the request says so. */
  readonly agencyTimeZone: string;
  /** Whether who took a payment may not pay its share out; absent: they may. */
  readonly payoutFourEyes?: boolean;
  /** How long a request waits for its saga to end, at the most. */
  readonly sagaWaitMs: number;
  readonly log: Logger;
  readonly clock: Clock;
  /** Where this installation is reached from outside, path prefix included, without a slash at its end. */
  readonly publicUrl: string;
  /** Whose word on a client's address is taken; absent: nobody's. */
  readonly proxyTrust?: ProxyTrust;
  /** How often somebody may call; absent: as often as they like. */
  readonly limits?: { readonly limiter: RateLimiter; readonly numbers: LimitNumbers };
  /** Whose pages may call the API from a browser, as exact origins; absent: nobody's. */
  readonly corsOrigins?: readonly string[];
  /** Asked for their records, and whether they exist at all; money moves in sagas alone. */
  readonly ports: Ports;
  /** Providers that may call `webhooks/<id>`, by their id. */
  readonly receivers: ReadonlyMap<string, WebhookReceiver>;
  /** Calls the addresses of webhook endpoints, for a test of one. */
  readonly webhooks: WebhookSender;
  /** Absent: false. True: who has no account is nobody, cookies need TLS, and nothing that is for development is open. */
  readonly isProduction?: boolean;
  /** Shared with the ops port of the process; absent: of this app alone. */
  readonly standing?: StandingGuard;
  /** Absent: other processes learn of a change within half a minute. */
  readonly standingNews?: StandingNews;
  /** Where operators reach their port; null or absent: there is none, or nobody knows. */
  readonly opsUrl?: string | null;
  /** How queues and due rows stand, for the console; absent: nobody tells. */
  readonly system?: SystemReader;
  /** By what the audit trail is sealed; absent or null: by nothing. */
  readonly auditSeals?: SealParts | null;
  /** What people may run besides the clock; absent: nothing. */
  readonly schedules?: SchedulesByHand;
  /** Which queues people may pause; absent: none. */
  readonly queues?: QueuesByHand;
  /** By which people may sign in besides; absent: by none. */
  readonly identityProvider?: IdentityProvider | null;
  /** Aborted when the process ends: streams do not wait for their clients. */
  readonly closing?: AbortSignal;
  readiness(): Promise<Readiness>;
}
/** With what `createApp` makes itself. */
export interface Services extends AppDeps {
  readonly standing: StandingGuard;
  readonly secrets: TextSeal;
  readonly cursors: CursorSeal;
  readonly answers: AnswerSeal;
  readonly links: LinkSeal;
  readonly apiKeys: ApiKeyVerifier;
  readonly live: LiveFeed;
  readonly streams: OpenStreams;
}

export interface AppEnv {
  Variables: {
    requestId: string;
    /** The path under which the API is reached: `/roomy`, or nothing. */
    prefix: string;
    /** The client's address, as far as it can be believed (`kernel/client-address.ts`). */
    ip: string | null;
    /** The matched pattern, never the path: a path holds ids. */
    route?: string;
    caller?: Caller;
    /** What the request was counted by. */
    counted?: Taken & Pick<Quota, 'name' | 'windowSeconds'>;
    /** Of the route's JSON body: a refusal of an unknown field names the nearest known one. */
    bodySchema?: unknown;
    /** The error, for the request's log line. */
    failure?: unknown;
  };
}
export type App = OpenAPIHono<AppEnv>;
/** A context of any route. */
export type AnyContext = Context<AppEnv>;

export const callerOf = (c: AnyContext): Caller => required(c.get('caller'), 'the caller of a guarded route');

/** `credential`: by what it is known who sends the request, where that is nothing that its guard has looked at; absent: that. */
export const originOf = (c: AnyContext, credential = credentialOf(c.get('caller'))): Origin => ({
  requestId: c.get('requestId'),
  ip: c.get('ip'),
  credential,
});

export const authorOf = (c: AnyContext): Author => ({ actor: callerOf(c).principal, ...originOf(c) });

/** A change and its audit row in one transaction; run again when it lost a deadlock. */
export const inTransaction = <T>(deps: AppDeps, work: (tx: Tx) => Promise<T>): Promise<T> =>
  retryContention(() => deps.db.transaction().execute(work));
