import { z } from 'zod';
import { type Given, issuesOf } from './config-providers.ts';
import { isProduction } from './config-safety.ts';
import { isThisMachine } from './db/transport.ts';
import { parts, url } from './gateways/environment.ts';

/** What is measured and traced, and who may read it; the variables of OpenTelemetry have their usual meaning. `config.ts` reads the environment. */

const SAMPLERS = [
  ...['always_on', 'always_off', 'traceidratio'],
  ...['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'],
] as const;
const oneOf = (...known: readonly string[]) =>
  z
    .string()
    .transform(parts)
    .refine((given) => given.every((one) => known.includes(one)), `must be some of ${known.join(', ')}`);
const endpoint = url('http:', 'https:').optional();

const Environment = z.object({
  METRICS_TOKEN: z.string().min(32, 'must have at least 32 characters').optional(),
  WORKER_OPS_PORT: z.union([z.literal('off'), z.coerce.number().int().min(0).max(65_535)]).default('off'),
  OTEL_SDK_DISABLED: z.string().default('false'),
  OTEL_SERVICE_NAME: z.string().min(1).max(200).default('roomy'),
  OTEL_TRACES_EXPORTER: oneOf('otlp', 'none').optional(),
  OTEL_METRICS_EXPORTER: oneOf('otlp', 'prometheus', 'none').optional(),
  OTEL_TRACES_SAMPLER: z.enum(SAMPLERS).default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  OTEL_METRIC_EXPORT_INTERVAL: z.coerce.number().int().min(1_000).max(3_600_000).default(60_000),
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint,
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: endpoint,
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .enum(['http/json', 'http/protobuf'], 'must be http/json: gRPC is not spoken')
    .optional(),
});
type Settings = z.infer<typeof Environment>;

export interface TelemetrySettings {
  readonly serviceName: string;
  /** Null: nothing is traced. */
  readonly traces: { readonly sampler: (typeof SAMPLERS)[number]; readonly ratio: number } | null;
  /** `asked`: measured from the first scrape on. */
  readonly metrics: 'off' | 'asked' | 'prometheus' | 'otlp';
  /** Between two times that metrics are sent by OTLP. */
  readonly metricsEveryMs: number;
  /** What a reader of `/metrics` has to show; null: nothing. */
  readonly metricsToken: string | null;
  /** Without a token `/metrics` is served only where it listens on this machine alone, or in development. */
  readonly production: boolean;
  /** Of a worker's own ops port; null: it has none. */
  readonly workerOpsPort: number | null;
}

interface Read {
  readonly on: TelemetrySettings | null;
  /** One line for each, never with a value. */
  readonly problems: readonly string[];
}

export function readTelemetry(given: Given): Read {
  const parsed = Environment.safeParse(given);
  if (!parsed.success) return { on: null, problems: issuesOf(parsed.error, given) };
  const env = parsed.data;
  const production = isProduction(given['NODE_ENV'] ?? '');
  const problems = production && given['ALLOW_PLAINTEXT'] !== '1' ? plaintextProblems(env) : [];
  const isOff = env.OTEL_SDK_DISABLED.toLowerCase() === 'true';
  const isTraced = !isOff && goesTo(env.OTEL_TRACES_EXPORTER, env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, env);
  return {
    on: {
      serviceName: env.OTEL_SERVICE_NAME,
      traces: isTraced ? { sampler: env.OTEL_TRACES_SAMPLER, ratio: env.OTEL_TRACES_SAMPLER_ARG } : null,
      metrics: isOff ? 'off' : metricsOf(env),
      metricsEveryMs: env.OTEL_METRIC_EXPORT_INTERVAL,
      metricsToken: env.METRICS_TOKEN ?? null,
      production,
      workerOpsPort: env.WORKER_OPS_PORT === 'off' ? null : env.WORKER_OPS_PORT,
    },
    problems,
  };
}

/** By name, or because a place to send it to is named. */
const goesTo = (exporter: readonly string[] | undefined, own: string | undefined, env: Settings): boolean =>
  exporter === undefined ? (own ?? env.OTEL_EXPORTER_OTLP_ENDPOINT) !== undefined : exporter.includes('otlp');

function metricsOf(env: Settings): TelemetrySettings['metrics'] {
  const exporter = env.OTEL_METRICS_EXPORTER;
  if (goesTo(exporter, env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, env)) return 'otlp';
  if (exporter?.includes('prometheus')) return 'prometheus';
  return exporter?.includes('none') ? 'off' : 'asked';
}

/** Traces hold ids and statements, and the way to them. */
function plaintextProblems(env: Settings): string[] {
  const NAMES = [
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
  ] as const;
  return NAMES.flatMap((name) => {
    const to = env[name] === undefined ? null : new URL(env[name]);
    if (to === null || to.protocol === 'https:' || isThisMachine(to.hostname)) return [];
    return [
      `${name}: goes to another host in the clear: use https:, or set ALLOW_PLAINTEXT=1 where the network is your own`,
    ];
  });
}
