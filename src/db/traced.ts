import { openSpan } from '../kernel/telemetry/tracing.ts';

/** Of a statement's text; all values are parameters, which are not kept. */
const MAX_TEXT = 1_000;

/** A span from sending to answer. `query`: a text, or what has one as `text`. */
export function traceStatement(query: unknown, send: () => unknown): unknown {
  const text = typeof query === 'string' ? query : query instanceof Object ? Reflect.get(query, 'text') : undefined;
  if (typeof text !== 'string') return send();
  const operation = /^[^A-Za-z]*([A-Za-z]+)/.exec(text)?.[1]?.toUpperCase() ?? 'SQL';
  const span = openSpan(`postgres ${operation}`, {
    kind: 'client',
    attributes: {
      'db.system.name': 'postgresql',
      'db.operation.name': operation,
      'db.query.text': text.slice(0, MAX_TEXT),
    },
  });
  const sent = send();
  if (sent instanceof Promise)
    sent.then(
      () => span.end(),
      (error: unknown) => span.end(error),
    );
  else span.end();
  return sent;
}
