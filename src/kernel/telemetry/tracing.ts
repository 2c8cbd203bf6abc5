import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  defaultTextMapGetter,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { kindOfError } from '../errors.ts';

/**
 * Where the code traces. While nothing is traced there is no tracer, and each call is one comparison. Attributes are ids and names:
 * never a guest's data, and of an error its kind alone.
 */

let tracer: Tracer | null = null;

/** Null: nothing is traced any more. */
export function traceBy(used: Tracer | null): void {
  tracer = used;
}

export const isTracing = (): boolean => tracer !== null;

export interface SpanAbout {
  /** Default: internal. */
  readonly kind?: 'server' | 'client' | 'producer' | 'consumer';
  readonly attributes?: Attributes;
  /** W3C `traceparent` of the span that caused it, in another process or at another time. Null or absent: the one at hand. */
  readonly parent?: string | null;
}

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** A span that somebody else ends. */
export interface OpenSpan {
  /** What is begun in there has this span as its parent. */
  within<T>(work: () => T): T;
  set(attributes: Attributes): void;
  rename(name: string): void;
  /** With what it failed, if it did. */
  end(error?: unknown): void;
}
const NO_SPAN: OpenSpan = {
  within: (work) => work(),
  set: () => undefined,
  rename: () => undefined,
  end: () => undefined,
};

/** Begins a span. */
export function openSpan(name: string, { kind, attributes = {}, parent = null }: SpanAbout = {}): OpenSpan {
  if (tracer === null) return NO_SPAN;
  const around = parent === null ? context.active() : contextOf(parent);
  const links = linksIn(around);
  const span = tracer.startSpan(name, { kind: kind ? KINDS[kind] : SpanKind.INTERNAL, attributes, links }, around);
  return {
    within: (work) => context.with(trace.setSpan(links.length === 0 ? around : around.deleteValue(LINKS), span), work),
    set: (more) => void span.setAttributes(more),
    rename: (to) => void span.updateName(to),
    end: (error) => endWith(span, error),
  };
}

/** Runs work within a span, which ends with it. */
export async function inSpan<T>(name: string, about: SpanAbout, work: (span: OpenSpan) => Promise<T>): Promise<T> {
  if (tracer === null) return work(NO_SPAN);
  const span = openSpan(name, about);
  try {
    const result = await span.within(() => work(span));
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
}

function endWith(span: Span, error: unknown): void {
  if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: kindOfError(error) });
  span.end();
}

/** Whether there is a span at hand: what goes on without one, such as a look every second, begins no trace. */
export const isInTrace = (): boolean => tracer !== null && trace.getActiveSpan() !== undefined;

const contextOf = (traceparent: string): Context =>
  propagation.extract(ROOT_CONTEXT, { traceparent }, defaultTextMapGetter);

/** `traceparent` of the span at hand; null: there is none. */
export const currentTraceparent = (): string | null =>
  tracer === null ? null : (traceHeaders()['traceparent'] ?? null);

/** Headers by which the other side goes on with this trace. */
export function traceHeaders(): Readonly<Record<string, string>> {
  const carrier: Record<string, string> = {};
  if (tracer !== null) propagation.inject(context.active(), carrier);
  return carrier;
}

/** Ids for the log; null: there is no span at hand. */
export function traceIds(): { readonly traceId: string; readonly spanId: string } | null {
  const at = tracer === null ? undefined : trace.getActiveSpan()?.spanContext();
  return at ? { traceId: at.traceId, spanId: at.spanId } : null;
}

/** Where work was asked for that is done later, together with others. */
export type Origin = Context | undefined;
const LINKS = createContextKey('links of a shared span');

export const origin = (): Origin => (tracer === null ? undefined : context.active());

/** Runs work for all of these at once: it belongs to the first one's trace, and what it begins has links to the others'. */
export function forAll<T>([first, ...others]: readonly Origin[], work: () => T): T {
  if (tracer === null || first === undefined) return work();
  const links = others.flatMap((other): Link[] => {
    const at = other && trace.getSpanContext(other);
    return at ? [{ context: at }] : [];
  });
  return context.with(first.setValue(LINKS, links), work);
}

const NO_LINKS: Link[] = [];
function linksIn(around: Context): Link[] {
  const links = around.getValue(LINKS);
  return Array.isArray(links) ? links : NO_LINKS;
}
