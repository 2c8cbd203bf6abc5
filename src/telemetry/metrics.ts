import type { Attributes, BatchObservableResult, Observable } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type IMetricReader,
  MeterProvider,
  MetricReader,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InvariantError } from '../kernel/errors.ts';
import { BUCKETS_SECONDS, METRICS, type Metric } from '../kernel/telemetry/catalogue.ts';
import { type MetricSink, measureInto, type Sample } from '../kernel/telemetry/measure.ts';
import { VERSION } from '../kernel/version.ts';

/** The SDK of metrics. It is loaded when somebody asks for metrics, and not before. */

export interface MetricsOptions {
  /** `service.name` and what else tells this process from others. */
  readonly resource: Readonly<Record<string, string>>;
  /** What is read when somebody asks. It rejects for nothing that is only away. */
  readonly read: () => Promise<readonly Sample[]>;
  /** Sends them by OTLP too, to where the standard variables say, so often; null: it does not. */
  readonly otlpEveryMs: number | null;
}

/** The metrics of a process that is being asked for them. */
export interface Metrics {
  /** In the text format of Prometheus. */
  text(): Promise<string>;
  /** Sends what is left by OTLP, and measures no more. */
  close(): Promise<void>;
}

/** Asked by whoever scrapes: no timer, no port of its own. */
class AskedReader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  }
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Begins to measure. */
export async function startMetrics({ resource, read, otlpEveryMs }: MetricsOptions): Promise<Metrics> {
  const asked = new AskedReader();
  const readers: IMetricReader[] = otlpEveryMs === null ? [asked] : [asked, await otlpReader(otlpEveryMs)];
  const provider = new MeterProvider({ resource: resourceFromAttributes({ ...resource }), readers });
  const meter = provider.getMeter('roomy', VERSION);
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  measureInto(sinkOf(meter));
  observeSamples(meter, read);
  return {
    async text() {
      const { resourceMetrics, errors } = await asked.collect();
      if (errors.length > 0) throw new InvariantError('metrics could not be read', { cause: errors[0] });
      return serializer.serialize(resourceMetrics);
    },
    async close() {
      measureInto(null);
      await provider.shutdown();
    },
  };
}

async function otlpReader(exportIntervalMillis: number): Promise<IMetricReader> {
  const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-http');
  return new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(), exportIntervalMillis });
}

type Meter = ReturnType<MeterProvider['getMeter']>;
const ofType = (type: Metric['type']): readonly (readonly [string, Metric])[] =>
  Object.entries<Metric>(METRICS).filter(([, metric]) => metric.type === type);

function sinkOf(meter: Meter): MetricSink {
  const counters = new Map(
    ofType('counter').map(([name, { help }]) => [name, meter.createCounter(name, { description: help })]),
  );
  const histograms = new Map(
    ofType('histogram').map(([name, { help }]) => [
      name,
      meter.createHistogram(name, {
        description: help,
        unit: 's',
        advice: { explicitBucketBoundaries: [...BUCKETS_SECONDS] },
      }),
    ]),
  );
  return {
    add: (name, times, labels: Attributes) => counters.get(name)?.add(times, labels),
    observe: (name, seconds, labels: Attributes) => histograms.get(name)?.record(seconds, labels),
  };
}

/** All gauges are read together, so that one scrape asks each store once. */
function observeSamples(meter: Meter, read: () => Promise<readonly Sample[]>): void {
  const gauges = new Map<string, Observable>(
    ofType('gauge').map(([name, { help }]) => [name, meter.createObservableGauge(name, { description: help })]),
  );
  const tell = async (result: BatchObservableResult): Promise<void> => {
    for (const { name, value, labels } of await read()) {
      const gauge = gauges.get(name);
      if (gauge) result.observe(gauge, value, labels);
    }
  };
  meter.addBatchObservableCallback(tell, [...gauges.values()]);
}
