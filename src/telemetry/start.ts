import type { TelemetrySettings } from '../config-telemetry.ts';
import { logFailure } from '../kernel/outages.ts';
import type { Metrics } from './metrics.ts';
import type { Sources } from './sources.ts';

/**
 * Metrics and traces of a process. Their SDKs are loaded when they are on, or when somebody asks for metrics the first time, which
 * begins to count then; a process that nobody asks does not pay for them.
 */
export interface Telemetry {
  /** Of `/metrics`; null: they are off. */
  metricsText(): Promise<string | null>;
  /** Sends what is left. Never rejects: a receiver that is away keeps no program from ending. */
  close(): Promise<void>;
}

export interface TelemetryParts {
  readonly settings: TelemetrySettings;
  readonly program: 'api' | 'worker';
  readonly processId: string;
  readonly sources: Sources;
}

/** Starts what is to run from the start. */
export async function startTelemetry(parts: TelemetryParts): Promise<Telemetry> {
  const { settings } = parts;
  const { log } = parts.sources;
  let metrics: Promise<Metrics> | null = null;
  const open = (): Promise<Metrics> => {
    metrics ??= openMetrics(parts);
    return metrics;
  };
  const traces = settings.traces === null ? null : await openTraces(parts, settings.traces);
  if (settings.metrics === 'prometheus' || settings.metrics === 'otlp') await open();
  return {
    metricsText: async () => (settings.metrics === 'off' ? null : (await open()).text()),
    close: async () => {
      await metrics
        ?.then((opened) => opened.close())
        .catch((error: unknown) => logFailure(log, error, 'the last metrics were not sent'));
      await traces?.close().catch((error: unknown) => logFailure(log, error, 'the last spans were not sent'));
    },
  };
}

async function openMetrics({ settings, program, processId, sources }: TelemetryParts): Promise<Metrics> {
  const [{ startMetrics }, { createSources }] = await Promise.all([import('./metrics.ts'), import('./sources.ts')]);
  const { read, stop } = createSources(sources);
  const metrics = await startMetrics({
    resource: resourceOf(settings, program, processId),
    read,
    otlpEveryMs: settings.metrics === 'otlp' ? settings.metricsEveryMs : null,
  });
  return {
    text: metrics.text,
    close: async () => {
      stop();
      await metrics.close();
    },
  };
}

async function openTraces(
  { settings, program, processId }: TelemetryParts,
  sampling: NonNullable<TelemetrySettings['traces']>,
) {
  const { startTraces } = await import('./traces.ts');
  return startTraces({ resource: resourceOf(settings, program, processId), sampling });
}

/** What tells this process from others, by the names of OpenTelemetry. */
const resourceOf = (settings: TelemetrySettings, program: string, processId: string) => ({
  'service.namespace': 'roomy',
  'service.name': `${settings.serviceName}-${program}`,
  'service.instance.id': processId,
});
