import { RoomyError } from '../../kernel/errors.ts';
import { nearest } from '../../kernel/nearest.ts';
import { type EventResource, EXAMPLE_DATA } from './shapes.ts';
import type { EventSource } from './source.ts';
import { EVENT_SOURCES, type EventType } from './sources.ts';

/** The published types of events, made of the list of their sources. */

export type { EventType };

/** In the order of the list. */
const TYPES: readonly string[] = EVENT_SOURCES.flatMap(({ resource, events }) =>
  Object.keys(events).map((name) => `${resource}.${name}`),
);
const KNOWN_TYPES: ReadonlySet<string> = new Set(TYPES);

/** Whether a text names an event of the feed. */
export const isEventType = (type: string): type is EventType => KNOWN_TYPES.has(type);
export const EVENT_TYPES: readonly EventType[] = TYPES.filter(isEventType);

export interface EventKind {
  readonly type: EventType;
  readonly resource: EventResource;
  readonly description: string;
  /** As a webhook gets it; `data.data` is what the feed has as `data`. */
  readonly example: {
    readonly type: EventType;
    readonly timestamp: string;
    readonly data: {
      readonly seq: number;
      readonly id: string;
      readonly resource: { readonly type: EventResource; readonly id: string };
      readonly reservationId: string | null;
      readonly data: Readonly<Record<string, unknown>>;
    };
  };
}

export const EVENT_CATALOGUE: readonly EventKind[] = EVENT_SOURCES.flatMap(kindsOf).map((kind, index) => ({
  ...kind,
  example: {
    type: kind.type,
    timestamp: '2024-02-01T09:00:00.000Z',
    data: { seq: index + 1, id: `event-${index + 1}`, ...kind.example },
  },
}));

type WithoutPlace = Omit<EventKind, 'example'> & { readonly example: Omit<EventKind['example']['data'], 'seq' | 'id'> };

function kindsOf(source: EventSource & { readonly resource: EventResource }): readonly WithoutPlace[] {
  const { resource } = source;
  const { id, reservationId, data } = EXAMPLE_DATA[resource];
  return Object.entries(source.events).flatMap(([name, description]) => {
    const type = `${resource}.${name}`;
    const state = stateAfter(source, name);
    const after = state === undefined ? data : { ...data, status: state };
    return isEventType(type)
      ? [{ type, resource, description, example: { resource: { type: resource, id }, reservationId, data: after } }]
      : [];
  });
}

/** The state of a record after an event; undefined where the event says nothing about it. */
function stateAfter({ states = {}, inserted }: EventSource, name: string): string | undefined {
  const [first] = Object.keys(states);
  const reached = Object.entries(states).find(([, event]) => event === name)?.[0];
  return reached ?? (inserted === name ? first : undefined);
}

/** `task.*` and the like. */
const PATTERNS: readonly string[] = EVENT_SOURCES.map(({ resource }) => `${resource}.*`);
const KNOWN: readonly string[] = [...EVENT_TYPES, ...PATTERNS];

/** Those that no event will ever match. */
export const deadPatterns = (patterns: readonly string[]): readonly string[] =>
  patterns.filter((pattern) => !KNOWN.includes(pattern));

/** Throws `EVENT_TYPE_UNKNOWN`, with what each was probably meant to be. */
export function assertEventPatterns(patterns: readonly string[]): void {
  const unknown = deadPatterns(patterns).map((type) => ({ type, near: nearest(type, KNOWN) }));
  if (unknown.length > 0) throw new RoomyError('EVENT_TYPE_UNKNOWN', { details: { unknown, known: KNOWN } });
}
