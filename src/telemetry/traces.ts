import { context, propagation } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TelemetrySettings } from '../config-telemetry.ts';
import { traceBy } from '../kernel/telemetry/tracing.ts';
import { VERSION } from '../kernel/version.ts';

/** The SDK of traces. It is loaded where traces are on. */

export interface TraceOptions {
  readonly resource: Readonly<Record<string, string>>;
  readonly sampling: NonNullable<TelemetrySettings['traces']>;
  /** Default: batches by OTLP, to where the standard variables say. */
  readonly processor?: SpanProcessor;
}

/** Begins to trace. */
export async function startTraces({
  resource,
  sampling,
  processor,
}: TraceOptions): Promise<{ close(): Promise<void> }> {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ ...resource }),
    sampler: samplerOf(sampling),
    spanProcessors: [processor ?? (await batchesByOtlp())],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  traceBy(provider.getTracer('roomy', VERSION));
  return {
    close: async () => {
      traceBy(null);
      await provider.shutdown();
      propagation.disable();
      context.disable();
    },
  };
}

async function batchesByOtlp(): Promise<SpanProcessor> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  return new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), maxQueueSize: MAX_QUEUED });
}

/** More are dropped: a collector that is away costs no memory without end. */
const MAX_QUEUED = 8_192;

function samplerOf({ sampler, ratio }: TraceOptions['sampling']): Sampler {
  const own: Readonly<Record<string, () => Sampler>> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  };
  const root = own[sampler.replace('parentbased_', '')]?.() ?? new AlwaysOnSampler();
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}
