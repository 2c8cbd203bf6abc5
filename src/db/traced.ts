import { openSpan } from '../kernel/telemetry/tracing.ts';

/** Of a statement's text; all values are parameters, which are not kept. */
const MAX_TEXT = 1_000;
const MAX_SUMMARY = 120;
/** What took at least as long, or failed, has its text; of all else the beginning tells which it was. */
const SLOW_MS = 20;
/** Statements are texts of the code, with a few lengths of lists; what is made up beyond that is described each time. */
const MAX_KNOWN = 2_000;

interface Known {
  readonly name: string;
  readonly about: { readonly kind: 'client'; readonly attributes: Readonly<Record<string, string>> };
}
const known = new Map<string, Known>();

/** A span from sending to answer. `query`: a text, or what has one as `text`. */
export function traceStatement(query: unknown, send: () => unknown): unknown {
  const text = typeof query === 'string' ? query : query instanceof Object ? Reflect.get(query, 'text') : undefined;
  if (typeof text !== 'string') return send();
  const { name, about } = known.get(text) ?? described(text);
  const startedAt = performance.now();
  const span = openSpan(name, about);
  const sent = send();
  if (sent instanceof Promise)
    sent.then(
      () => {
        if (performance.now() - startedAt >= SLOW_MS) span.set({ 'db.query.text': text.slice(0, MAX_TEXT) });
        span.end();
      },
      (error: unknown) => {
        span.set({ 'db.query.text': text.slice(0, MAX_TEXT) });
        span.end(error);
      },
    );
  else span.end();
  return sent;
}

function described(text: string): Known {
  const operation = /^[^A-Za-z]*([A-Za-z]+)/.exec(text)?.[1]?.toUpperCase() ?? 'SQL';
  const attributes = {
    'db.system.name': 'postgresql',
    'db.query.summary': text.trimStart().slice(0, MAX_SUMMARY).replaceAll(/\s+/g, ' '),
  };
  const one: Known = { name: `postgres ${operation}`, about: { kind: 'client', attributes } };
  if (known.size < MAX_KNOWN) known.set(text, one);
  return one;
}
