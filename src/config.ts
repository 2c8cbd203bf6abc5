import path from 'node:path';
import { z } from 'zod';
import { databaseProblems, gatewayProblems, isProduction, redisProblems } from './config-safety.ts';
import { FORWARDING_HEADERS, isProxyRange, type ProxyTrust } from './kernel/client-address.ts';
import { canonicalEmail } from './kernel/email.ts';
import { ID_PATTERN } from './kernel/ids.ts';
import { isTimeZone } from './kernel/time-zone.ts';

/** The only reader of the environment. All problems are reported at once, by name, never with a value. */

const WEAK_SECRETS = new Set(['changeme', 'secret', 'password']);
const KEY_ENTRY = /^([A-Za-z0-9_-]{1,32}):(.{32,512})$/s;

export interface SigningKey {
  readonly kid: string;
  readonly secret: Uint8Array;
}

const jwtKeys = z.string().transform((text, context): readonly SigningKey[] => {
  const keys: SigningKey[] = [];
  for (const entry of text.split(',')) {
    const match = KEY_ENTRY.exec(entry.trim());
    const secret = match?.[2] ?? '';
    const weak = WEAK_SECRETS.has(secret.toLowerCase()) || new Set(secret).size < 8;
    if (!match || weak || keys.some((key) => key.kid === match[1])) {
      context.addIssue({
        code: 'custom',
        message: 'must be kid:secret[,kid:secret], each kid once, each secret 32 random characters or more',
      });
      return z.NEVER;
    }
    keys.push({ kid: match[1] ?? '', secret: new TextEncoder().encode(secret) });
  }
  return keys;
});

const port = z.coerce.number().int().min(0).max(65_535);
const url = (...protocols: readonly string[]) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol),
      `must be a ${protocols.join(' or ')} URL`,
    );

const GATEWAYS = ['sandbox', 'stripe'] as const;
export type GatewayName = (typeof GATEWAYS)[number];
const parts = (text: string): readonly string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
const gatewayNames = z.string().transform((text, context): readonly GatewayName[] => {
  const names = GATEWAYS.filter((name) => parts(text).includes(name));
  if (names.length > 0 && names.length === new Set(parts(text)).size) return names;
  context.addIssue({ code: 'custom', message: `must be some of ${GATEWAYS.join(', ')}, separated by commas` });
  return z.NEVER;
});
/** Ids that mean something else, however they are written. */
const RESERVED_GATEWAYS = new Set(['stripe', 'bank']);
const sandboxGateways = z
  .string()
  .transform(parts)
  .refine(
    (ids) => ids.every((id) => ID_PATTERN.test(id) && !RESERVED_GATEWAYS.has(id.toLowerCase())),
    'must be ids of 1 to 64 letters, digits, _ or -, separated by commas, and none of them stripe or bank',
  );
const webhookSecrets = z
  .string()
  .transform(parts)
  .refine((secrets) => secrets.every((secret) => /^whsec_\S{16,}$/.test(secret)), 'must be whsec_...[,whsec_...]');
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
/** A key must not travel in the clear, except to a stand-in on this machine. */
const LOCAL = new Set(['localhost', '127.0.0.1', '[::1]']);
const apiUrl = url('http:', 'https:').refine(
  (text) => !URL.canParse(text) || new URL(text).protocol === 'https:' || LOCAL.has(new URL(text).hostname),
  'must be https, except on this machine',
);

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
  ROOMY_DATA_DIR: z.string().default('.roomy'),
  JWT_KEYS: jwtKeys,
  JWT_ISSUER: z.string().min(1).default('roomy'),
  JWT_AUDIENCE: z.string().min(1).default('roomy-api'),
  SAGA_WAIT_MS: z.coerce.number().int().min(0).max(60_000).default(10_000),
  WORKER_CONCURRENCY: z.coerce.number().int().min(1).max(512).default(64),
  SMTP_URL: url('smtp:', 'smtps:').optional(),
  MAIL_FROM: z.string().default('Roomy <no-reply@roomy.example>'),
  OPS_EMAIL: z
    .string()
    .refine((text) => canonicalEmail(text) !== null, 'must be an e-mail address')
    .default('ops@roomy.example'),
  PAYMENT_GATEWAYS: gatewayNames.optional(),
  SANDBOX_GATEWAYS: sandboxGateways.default([]),
  STRIPE_SECRET_KEY: z
    .string()
    .regex(/^(?:sk|rk)_(?:test|live)_\w{8,}$/, 'must be sk_test_..., sk_live_... or a restricted rk_... key')
    .optional(),
  STRIPE_WEBHOOK_SECRET: webhookSecrets.default([]),
  STRIPE_API_URL: apiUrl.optional(),
  AMENITIES_SIGNING_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
  AMENITIES_HOSTS: z.string().default(''),
  TWILIO_ACCOUNT_SID: z
    .string()
    .regex(/^AC[0-9a-f]{32}$/i, 'must be AC and 32 hex digits')
    .optional(),
  TWILIO_AUTH_TOKEN: z.string().min(16).optional(),
  TWILIO_FROM: z
    .string()
    .regex(/^(\+\d{6,15}|MG[0-9a-f]{32})$/i, 'must be a phone number like +15005550006, or MG and 32 hex digits')
    .optional(),
  TWILIO_API_URL: apiUrl.optional(),
  PUBLIC_URL: publicUrl.optional(),
  OPS_PUBLIC_URL: publicUrl.optional(),
  TRUSTED_PROXIES: trustedProxies.default([]),
  TRUSTED_PROXY_HEADER: z.string().toLowerCase().pipe(z.enum(FORWARDING_HEADERS)).default('x-forwarded-for'),
  WEBHOOK_ALLOWED_HOSTS: z.string().default(''),
  EVENT_RETENTION_DAYS: z.coerce.number().int().min(1).max(36_500).default(400),
  AGENCY_TIME_ZONE: z
    .string()
    .default('Asia/Dubai')
    .refine((zone) => isTimeZone(zone), 'must be an IANA time zone'),
  SANDBOX_FEE_BP: z.coerce.number().int().min(0).max(10_000).default(290),
});

export interface Config {
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
  readonly sagaWaitMs: number;
  readonly workerConcurrency: number;
  readonly mail: { readonly smtpUrl: string | null; readonly from: string; readonly opsEmail: string };
  /** Null: SMS can be read in the mailbox of the ops port. */
  readonly sms: {
    readonly accountSid: string;
    readonly authToken: string;
    readonly from: string;
    readonly apiUrl: string | null;
    /** Where Twilio tells what became of a message; null: nowhere. */
    readonly statusCallback: string | null;
  } | null;
  /** Of the API, as people and providers reach it, without a slash at its end. */
  readonly publicUrl: string;
  /** Whose word on a client's address is taken, and in which header. */
  readonly proxyTrust: ProxyTrust;
  /** On whose clock bare dates in requests are days, where no property says so. */
  readonly agencyTimeZone: string;
  readonly payments: PaymentConfig;
  /** Webhook consumers that may be called although they are not public, as `host:port`; and how long events are kept. */
  readonly webhooks: { readonly allowed: readonly string[]; readonly retentionDays: number };
  /** Devices that speak HTTP: which hosts may be called, and how the requests are signed. */
  readonly amenities: { readonly hosts: readonly string[]; readonly signingSecret: string | null };
}
export interface PaymentConfig {
  readonly gateways: readonly GatewayName[];
  /** Where the sandbox keeps its record; programs that work together share it. */
  readonly sandboxDir: string;
  /** What the sandbox keeps of a charge, in basis points. */
  readonly sandboxFeeBp: number;
  /** Ids at which the sandbox takes payments, besides the one of the brief's examples. */
  readonly sandboxGateways: readonly string[];
  /** Null unless `gateways` has it. */
  readonly stripe: {
    readonly secretKey: string;
    readonly webhookSecrets: readonly string[];
    readonly apiUrl: string | null;
  } | null;
}
export interface JwtConfig {
  readonly keys: readonly SigningKey[];
  readonly issuer: string;
  readonly audience: string;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** An empty setting is none: that is how docker compose passes on what is not set. */
const givenIn = (
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''));

const issuesOf = (error: z.ZodError, given: Readonly<Record<string, string | undefined>>): string[] =>
  error.issues.map((issue) => {
    const name = issue.path.join('.');
    return `${name}: ${given[name] === undefined ? 'is required' : issue.message}`;
  });

const incomplete = (problems: readonly string[]): ConfigError =>
  new ConfigError(`The environment is not complete:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);

/** For the programs that need nothing else: migrations and demo data. Throws `ConfigError`. */
export function readDatabaseUrl(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const given = givenIn(environment);
  const parsed = Environment.pick({ DATABASE_URL: true, NODE_ENV: true, ALLOW_PLAINTEXT: true }).safeParse(given);
  const problems = parsed.success ? databaseProblems(parsed.data) : issuesOf(parsed.error, given);
  if (!parsed.success || problems.length > 0) throw incomplete(problems);
  return parsed.data.DATABASE_URL;
}

/** For the token program. */
export function readJwtConfig(environment: Readonly<Record<string, string | undefined>> = process.env): JwtConfig {
  const parsed = Environment.pick({ JWT_KEYS: true, JWT_ISSUER: true, JWT_AUDIENCE: true }).safeParse(environment);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n'));
  }
  const { JWT_KEYS, JWT_ISSUER, JWT_AUDIENCE } = parsed.data;
  return { keys: JWT_KEYS, issuer: JWT_ISSUER, audience: JWT_AUDIENCE };
}

/** Throws `ConfigError` whose message names every wrong variable and what it must be. */
export function readConfig(environment: Readonly<Record<string, string | undefined>> = process.env): Config {
  const given = givenIn(environment);
  const parsed = Environment.safeParse(given);
  const problems = parsed.success
    ? [...gatewayProblems(parsed.data), ...databaseProblems(parsed.data), ...redisProblems(parsed.data)]
    : issuesOf(parsed.error, given);
  if (parts(given['PAYMENT_GATEWAYS'] ?? '').includes('stripe') && given['STRIPE_SECRET_KEY'] === undefined) {
    problems.push('STRIPE_SECRET_KEY: is required when PAYMENT_GATEWAYS has stripe');
  }
  if (parsed.data && parsed.data.SANDBOX_GATEWAYS.length > 0) {
    const { gateways } = paymentsOf(parsed.data, '');
    if (!gateways.includes('sandbox')) problems.push('SANDBOX_GATEWAYS: needs PAYMENT_GATEWAYS to have sandbox');
  }
  const twilio = ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN', 'TWILIO_FROM'];
  const missing = twilio.filter((name) => given[name] === undefined);
  if (missing.length > 0 && missing.length < twilio.length) {
    for (const name of missing) problems.push(`${name}: is required with the other settings of Twilio`);
  }
  if (!parsed.success || problems.length > 0) {
    throw incomplete(problems);
  }
  const env = parsed.data;
  const dataDir = path.resolve(env.ROOMY_DATA_DIR);
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
    dataDir,
    jwt: { keys: env.JWT_KEYS, issuer: env.JWT_ISSUER, audience: env.JWT_AUDIENCE },
    sagaWaitMs: env.SAGA_WAIT_MS,
    workerConcurrency: env.WORKER_CONCURRENCY,
    mail: { smtpUrl: env.SMTP_URL ?? null, from: env.MAIL_FROM, opsEmail: env.OPS_EMAIL },
    sms: smsOf(env),
    publicUrl: env.PUBLIC_URL?.replace(/\/+$/, '') ?? `http://localhost:${env.PORT}`,
    proxyTrust: { proxies: env.TRUSTED_PROXIES, header: env.TRUSTED_PROXY_HEADER },
    agencyTimeZone: env.AGENCY_TIME_ZONE,
    payments: paymentsOf(env, dataDir),
    webhooks: { allowed: parts(env.WEBHOOK_ALLOWED_HOSTS), retentionDays: env.EVENT_RETENTION_DAYS },
    amenities: { hosts: parts(env.AMENITIES_HOSTS), signingSecret: env.AMENITIES_SIGNING_SECRET ?? null },
  });
}

/** Where the API takes receipts for SMS. */
export const SMS_RECEIPTS = '/api/production/webhooks/twilio';

function smsOf(env: z.output<typeof Environment>): Config['sms'] {
  const { TWILIO_ACCOUNT_SID: accountSid, TWILIO_AUTH_TOKEN: authToken, TWILIO_FROM: from } = env;
  if (accountSid === undefined || authToken === undefined || from === undefined) return null;
  const base = env.PUBLIC_URL?.replace(/\/+$/, '');
  const statusCallback = base === undefined ? null : `${base}${SMS_RECEIPTS}`;
  return { accountSid, authToken, from, apiUrl: env.TWILIO_API_URL ?? null, statusCallback };
}

function paymentsOf(env: z.output<typeof Environment>, dataDir: string): PaymentConfig {
  const secretKey = env.STRIPE_SECRET_KEY;
  const gateways = env.PAYMENT_GATEWAYS ?? [secretKey === undefined ? 'sandbox' : 'stripe'];
  return {
    gateways,
    sandboxDir: dataDir,
    sandboxFeeBp: env.SANDBOX_FEE_BP,
    sandboxGateways: [...new Set(env.SANDBOX_GATEWAYS)],
    stripe:
      gateways.includes('stripe') && secretKey !== undefined
        ? { secretKey, webhookSecrets: env.STRIPE_WEBHOOK_SECRET, apiUrl: env.STRIPE_API_URL ?? null }
        : null,
  };
}
