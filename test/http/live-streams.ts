import type { App } from '../../src/http/context.ts';
import { API } from './harness.ts';

/** A stream of events that a test listens to. */

export interface Heard {
  readonly id: string | null;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what it reads.
  readonly data: any;
}
export interface OpenStream {
  readonly status: number;
  /** Events and steps, in the order in which they came. */
  heard(): readonly Heard[];
  /** Places in the feed. */
  places(): readonly number[];
  /** Resolves when the server has ended it. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export async function openStream(
  app: App,
  query: string,
  headers: Readonly<Record<string, string>>,
): Promise<OpenStream> {
  const gone = new AbortController();
  const response = await app.request(`${API}/events/stream${query}`, { headers, signal: gone.signal });
  const reader = response.body?.getReader();
  let text = '';
  const ended = (async () => {
    const decoder = new TextDecoder();
    for (;;) {
      const part = await reader?.read().catch(() => undefined);
      if (!part || part.done) return;
      text += decoder.decode(part.value, { stream: true });
    }
  })();
  const heard = (): readonly Heard[] =>
    text
      .split('\n\n')
      .slice(0, -1)
      .flatMap((block) => {
        const fields = new Map(
          block.split('\n').map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]),
        );
        const event = fields.get('event');
        return event === undefined
          ? []
          : [{ id: fields.get('id') ?? null, event, data: JSON.parse(fields.get('data') ?? 'null') }];
      });
  return {
    status: response.status,
    heard,
    places: () => heard().flatMap(({ id }) => (id === null ? [] : [Number(id)])),
    ended,
    close: async () => {
      gone.abort();
      await reader?.cancel().catch(() => undefined);
    },
  };
}
