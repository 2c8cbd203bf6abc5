import path from 'node:path';
import { z } from 'zod';
import { AUDIT_VARIABLES, type AuditSealSettings, auditProblems, auditSealSettings } from './config-audit.ts';
import { INCIDENT_VARIABLES, type IncidentSettings, incidentProblems, incidentSettings } from './config-incidents.ts';
import {
  type FieldSettings,
  type JwtConfig,
  jwtOf,
  keyPairs,
  keyProblems,
  SEAL_VARIABLES,
  type SigningKey,
  secretKeys,
  tokenProblems,
  trustedIssuers,
} from './config-keys.ts';
import { DEFAULT_DATA_DIR, issuesOf, readChannels, readPayments, unnamedGateways } from './config-providers.ts';
import { RETENTION_VARIABLES, type RetentionSettings, retentionSettings } from './config-retention.ts';
import { databaseProblems, isProduction, originProblems, redisProblems } from './config-safety.ts';
import { readIdentityProvider } from './config-sign-in.ts';
import { readTelemetry, type TelemetrySettings } from './config-telemetry.ts';
import { parts, url } from './gateways/environment.ts';
import type { IdentityProviderSettings } from './gateways/identity-provider.ts';
import type { ConfiguredChannel } from './gateways/message-channel.ts';
import type { ConfiguredProvider } from './gateways/payment-provider.ts';
import { FORWARDING_HEADERS, isProxyRange, type ProxyTrust } from './kernel/client-address.ts';
import { canonicalEmail } from './kernel/email.ts';
import { DEFAULT_MESSAGE_CAPS, type MessageCaps, readMessageCaps } from './kernel/message-caps.ts';
import { DEFAULT_LIMITS, type LimitNumbers, readLimitNumbers } from './kernel/rate-limits.ts';
import { isTimeZone } from './kernel/time-zone.ts';
import { isWorkerRole, WORKER_ROLES, type WorkerRole } from './workers/roles.ts';

/**
 * The only reader of the environment. All problems are reported at once, by name, never with a value. Providers of payments
 * and of messages declare their own variables (`gateways/<id>/provider.ts`).
 */

export type { JwtConfig, KeyPair, SigningKey, TrustedIssuer } from './config-keys.ts';

const port = z.coerce.number().int().min(0).max(65_535);
/** Paths are appended to it. */
const publicUrl = url('http:', 'https:').refine((text) => {
  const { search, hash, username, password } = URL.parse(text) ?? {};
  return !(search || hash || username || password) && !/[?#]$/.test(text);
}, 'must have no query, no fragment and no credentials');
const trustedProxies = z
  .string()
  .transform(parts)
  .refine(
    (ranges) => ranges.every(isProxyRange),
    'must be IP addresses or CIDR ranges that leave somebody out, such as 10.0.0.0/8, separated by commas',
  );

/** A list of `name=number`, or what else `read` understands; null is none of it. */
const numbers = <T>(read: (text: string) => T | null, example: string) =>
  z.string().transform((text, context): T => {
    const known = read(text);
    if (known !== null) return known;
    context.addIssue({ code: 'custom', message: `must be like ${example}` });
    return z.NEVER;
  });
/** As browsers send them in `Origin`; `*` for any. */
const origins = z
  .string()
  .transform(parts)
  .refine(
    (all) => all.every((text) => text === '*' || (/^https?:[^*]+$/.test(text) && URL.parse(text)?.origin === text)),
    'must be origins without a path, such as https://crm.example.com, separated by commas',
  );

const roles = z.string().transform((text, context): readonly WorkerRole[] => {
  const names = parts(text);
  if (names.length > 0 && names.every(isWorkerRole)) return WORKER_ROLES.filter((role) => names.includes(role));
  context.addIssue({ code: 'custom', message: `must be some of ${WORKER_ROLES.join(', ')}, separated by commas` });
  return z.NEVER;
});

const Environment = z.object({
  NODE_ENV: z.string().default('production'),
  ALLOW_PLAINTEXT: z
    .enum(['0', '1'], 'must be 1 or 0')
    .default('0')
    .transform((text) => text === '1'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  PORT: port.default(3000),
  HOST: z.string().default('0.0.0.0'),
  OPS_PORT: z.union([z.literal('off'), port]).default(3001),
  OPS_HOST: z.string().default('127.0.0.1'),
  KEEP_ALIVE_MS: z.coerce.number().int().min(1_000).max(3_600_000).default(75_000),
  DATABASE_URL: url('postgres:', 'postgresql:'),
  DATABASE_POOL: z.coerce.number().int().min(2).max(100).default(10),
  REDIS_URL: url('redis:', 'rediss:'),
  QUEUE_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,40}$/)
    .default('roomy'),
  ROOMY_DATA_DIR: z.string().default(DEFAULT_DATA_DIR),
  JWT_KEYS: secretKeys.optional(),
  JWT_SIGNING_KEYS: keyPairs.optional(),
  JWT_ISSUERS: trustedIssuers.default([]),
  JWT_ISSUER: z.string().min(1).default('roomy'),
  JWT_AUDIENCE: z.string().min(1).default('roomy-api'),
  ...SEAL_VARIABLES,
  SAGA_WAIT_MS: z.coerce.number().int().min(0).max(60_000).default(10_000),
  PAYOUT_FOUR_EYES: z.enum(['true', 'false'], 'must be true or false').default('false'),
  ROLES: roles.default(WORKER_ROLES),
  WORKER_CONCURRENCY: z.coerce.number().int().min(1).max(512).default(64),
  OPS_EMAIL: z
    .string()
    .refine((text) => canonicalEmail(text) !== null, 'must be an e-mail address')
    .default('ops@roomy.example'),
  ...INCIDENT_VARIABLES,
  ...AUDIT_VARIABLES,
  AMENITIES_SIGNING_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
  AMENITIES_HOSTS: z.string().default(''),
  PUBLIC_URL: publicUrl.optional(),
  OPS_PUBLIC_URL: publicUrl.optional(),
  TRUSTED_PROXIES: trustedProxies.default([]),
  TRUSTED_PROXY_HEADER: z.string().toLowerCase().pipe(z.enum(FORWARDING_HEADERS)).default('x-forwarded-for'),
  RATE_LIMITS: numbers(readLimitNumbers, 'writes=120,service:importer/writes=20000').default(DEFAULT_LIMITS),
  MESSAGES_A_DAY: numbers(readMessageCaps, 'guest-sms=10,staff-email=500').default(DEFAULT_MESSAGE_CAPS),
  CORS_ORIGINS: origins.default([]),
  WEBHOOK_ALLOWED_HOSTS: z.string().default(''),
  ...RETENTION_VARIABLES,
  AGENCY_TIME_ZONE: z
    .string()
    .default('Asia/Dubai')
    .refine((zone) => isTimeZone(zone), 'must be an IANA time zone'),
});

export interface Config extends FieldSettings, IncidentSettings {
  readonly production: boolean;
  readonly logLevel: string;
  /** `keepAliveMs`: how long a connection may wait for its next request. */
  readonly http: { readonly host: string; readonly port: number; readonly keepAliveMs: number };
  /** Null: this process serves no ops port. */
  readonly ops: Config['http'] | null;
  /** Of the ops port, as operators reach it through a proxy, without a slash at its end; null: as it is. */
  readonly opsPublicUrl: string | null;
  readonly databaseUrl: string;
  readonly databasePool: number;
  readonly redisUrl: string;
  /** First part of every Redis key; programs that work together share it. */
  readonly queuePrefix: string;
  readonly dataDir: string;
  readonly jwt: JwtConfig;
  /** Of cursors, links and kept answers: the first seals, each opens. */
  readonly sealKeys: readonly SigningKey[];
  /** `JWT_KEYS` do for `SEAL_KEYS`: only in development. */
  readonly sealsWithTokenKeys: boolean;
  /** Null: the audit trail is not sealed. */
  readonly auditSeals: AuditSealSettings | null;
  readonly sagaWaitMs: number;
  /** Who took a payment may not pay its share out. */
  readonly payoutFourEyes: boolean;
  /** What a worker serves, in the order of `WORKER_ROLES`; never empty. */
  readonly workerRoles: readonly WorkerRole[];
  readonly workerConcurrency: number;
  /** Who is written to when a saga waits for a person. */
  readonly opsEmail: string;
  /** Providers of messages that are on. A channel without one can be read in the mailbox of the ops port. */
  readonly channels: readonly ConfiguredChannel[];
  /** Of the API, as people and providers reach it, without a slash at its end. */
  readonly publicUrl: string;
  /** Whose word on a client's address is taken, and in which header. */
  readonly proxyTrust: ProxyTrust;
  /** How often callers and addresses may do something. */
  readonly rateLimits: LimitNumbers;
  /** How many messages one recipient gets a day. */
  readonly messageCaps: MessageCaps;
  /** Whose pages may call the API from a browser. */
  readonly corsOrigins: readonly string[];
  /** On whose clock bare dates in requests are days, where no property says so. */
  readonly agencyTimeZone: string;
  /** Payment providers that are on, in the order of `PAYMENT_PROVIDERS`. */
  readonly payments: readonly ConfiguredProvider[];
  /** Webhook consumers that may be called although they are not public, as `host:port`. */
  readonly webhooks: { readonly allowed: readonly string[] };
  readonly retention: RetentionSettings;
  /** Devices that speak HTTP: which hosts may be called, and how the requests are signed. */
  readonly amenities: { readonly hosts: readonly string[]; readonly signingSecret: string | null };
  /** By which people may sign in besides; null: off. */
  readonly identityProvider: IdentityProviderSettings | null;
  readonly telemetry: TelemetrySettings;
  /** Where a worker answers probes and shows its metrics; null: nowhere. */
  readonly workerOps: Config['http'] | null;
}
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** An empty setting is none: that is how docker compose passes on what is not set. */
const givenIn = (
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''));

const incomplete = (problems: readonly string[]): ConfigError =>
  new ConfigError(`The environment is not complete:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);

type Variables = Readonly<Record<string, string | undefined>>;
/** That of the process, for a neighbour. */
export const environmentOfProcess = (): Variables => process.env;
/** For the programs that change the schema, by another account than the rest where `OWNER_DATABASE_URL` names one. */
const asOwner = ({ OWNER_DATABASE_URL, ...environment }: Variables): Variables =>
  OWNER_DATABASE_URL ? { ...environment, DATABASE_URL: OWNER_DATABASE_URL } : environment;

/** For the programs that need nothing else: migrations and demo data. Throws `ConfigError`. */
export function readDatabaseUrl(environment: Variables = process.env): string {
  const given = givenIn(environment);
  const parsed = Environment.pick({ DATABASE_URL: true, NODE_ENV: true, ALLOW_PLAINTEXT: true }).safeParse(given);
  const problems = parsed.success ? databaseProblems(parsed.data) : issuesOf(parsed.error, given);
  if (!parsed.success || problems.length > 0) throw incomplete(problems);
  return parsed.data.DATABASE_URL;
}

/** For migrations: as the owner of the tables, and the password that the programs' account is to have. Throws `ConfigError`. */
export const readMigrationConfig = (environment: Variables = process.env) => ({
  databaseUrl: readDatabaseUrl(asOwner(environment)),
  appPassword: environment['APP_DATABASE_PASSWORD'] || undefined,
});

export interface MaintenanceConfig extends RetentionSettings {
  readonly databaseUrl: string;
  readonly logLevel: string;
}

/** For the program that moves and deletes history. Throws `ConfigError`. */
export function readMaintenanceConfig(environment: Variables = process.env): MaintenanceConfig {
  const given = givenIn(asOwner(environment));
  const parsed = Environment.pick({ DATABASE_URL: true, NODE_ENV: true, ALLOW_PLAINTEXT: true, LOG_LEVEL: true })
    .extend(RETENTION_VARIABLES)
    .safeParse(given);
  const problems = parsed.success ? databaseProblems(parsed.data) : issuesOf(parsed.error, given);
  if (!parsed.success || problems.length > 0) throw incomplete(problems);
  const { DATABASE_URL: databaseUrl, LOG_LEVEL: logLevel, ...kept } = parsed.data;
  return { databaseUrl, logLevel, ...retentionSettings(kept) };
}

export interface AccountConfig {
  readonly databaseUrl: string;
  readonly publicUrl: string;
}
/** For the program that makes the first administrator. Throws `ConfigError`. */
export function readAccountConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): AccountConfig {
  const given = givenIn(environment);
  const parsed = Environment.pick({ PUBLIC_URL: true, PORT: true }).safeParse(given);
  if (!parsed.success) throw incomplete(issuesOf(parsed.error, given));
  return { databaseUrl: readDatabaseUrl(environment), publicUrl: publicUrlOf(parsed.data) };
}
const publicUrlOf = ({
  PUBLIC_URL,
  PORT,
}: {
  readonly PUBLIC_URL?: string | undefined;
  readonly PORT: number;
}): string => PUBLIC_URL?.replace(/\/+$/, '') ?? `http://localhost:${PORT}`;

/** For the token program. */
export function readJwtConfig(environment: Readonly<Record<string, string | undefined>> = process.env): JwtConfig {
  const given = givenIn(environment);
  const parsed = Environment.pick({
    JWT_KEYS: true,
    JWT_SIGNING_KEYS: true,
    JWT_ISSUERS: true,
    JWT_ISSUER: true,
    JWT_AUDIENCE: true,
  }).safeParse(given);
  const problems = parsed.success ? tokenProblems(parsed.data) : issuesOf(parsed.error, given);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems.join('\n'));
  return jwtOf(parsed.data);
}

/** Throws `ConfigError` whose message names every wrong variable and what it must be. */
export function readConfig(environment: Readonly<Record<string, string | undefined>> = process.env): Config {
  const given = givenIn(environment);
  const parsed = Environment.safeParse(given);
  const payments = readPayments(given);
  const channels = readChannels(given);
  const identityProvider = readIdentityProvider(given, isProduction(given['NODE_ENV'] ?? ''));
  const telemetry = readTelemetry(given);
  const problems = [
    ...(parsed.success
      ? [
          ...(isProduction(parsed.data.NODE_ENV) ? unnamedGateways(given) : []),
          ...databaseProblems(parsed.data),
          ...redisProblems(parsed.data),
          ...keyProblems(parsed.data),
          ...originProblems(parsed.data),
          ...incidentProblems(parsed.data),
          ...auditProblems(parsed.data),
        ]
      : issuesOf(parsed.error, given)),
    ...payments.problems,
    ...channels.problems,
    ...identityProvider.problems,
    ...telemetry.problems,
  ];
  if (!parsed.success || telemetry.on === null || problems.length > 0) throw incomplete(problems);
  const env = parsed.data;
  return Object.freeze({
    production: isProduction(env.NODE_ENV),
    logLevel: env.LOG_LEVEL,
    http: { host: env.HOST, port: env.PORT, keepAliveMs: env.KEEP_ALIVE_MS },
    ops: env.OPS_PORT === 'off' ? null : { host: env.OPS_HOST, port: env.OPS_PORT, keepAliveMs: env.KEEP_ALIVE_MS },
    opsPublicUrl: env.OPS_PUBLIC_URL?.replace(/\/+$/, '') ?? null,
    databaseUrl: env.DATABASE_URL,
    databasePool: env.DATABASE_POOL,
    redisUrl: env.REDIS_URL,
    queuePrefix: env.QUEUE_PREFIX,
    dataDir: path.resolve(env.ROOMY_DATA_DIR),
    jwt: jwtOf(env),
    sealKeys: env.SEAL_KEYS ?? env.JWT_KEYS ?? [],
    fieldKeys: env.FIELD_KEYS ?? [],
    sealsWithTokenKeys: env.SEAL_KEYS === undefined,
    sagaWaitMs: env.SAGA_WAIT_MS,
    payoutFourEyes: env.PAYOUT_FOUR_EYES === 'true',
    workerRoles: env.ROLES,
    workerConcurrency: env.WORKER_CONCURRENCY,
    opsEmail: env.OPS_EMAIL,
    ...incidentSettings(env),
    auditSeals: auditSealSettings(env, env.ROOMY_DATA_DIR),
    channels: channels.on,
    publicUrl: publicUrlOf(env),
    proxyTrust: { proxies: env.TRUSTED_PROXIES, header: env.TRUSTED_PROXY_HEADER },
    rateLimits: env.RATE_LIMITS,
    messageCaps: env.MESSAGES_A_DAY,
    corsOrigins: env.CORS_ORIGINS,
    agencyTimeZone: env.AGENCY_TIME_ZONE,
    payments: payments.on,
    webhooks: { allowed: parts(env.WEBHOOK_ALLOWED_HOSTS) },
    retention: retentionSettings(env),
    amenities: { hosts: parts(env.AMENITIES_HOSTS), signingSecret: env.AMENITIES_SIGNING_SECRET ?? null },
    identityProvider: identityProvider.on,
    telemetry: telemetry.on,
    workerOps:
      telemetry.on.workerOpsPort === null
        ? null
        : { host: env.OPS_HOST, port: telemetry.on.workerOpsPort, keepAliveMs: env.KEEP_ALIVE_MS },
  });
}
