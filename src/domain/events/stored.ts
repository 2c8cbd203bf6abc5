import type { Json, JsonObject } from '../../db/schema.ts';
import { EVENT_SOURCES } from './sources.ts';

/**
 * The data of events as they are kept: values alone, in the order that their fields have in the list of sources. The names, the
 * same in each of a kind, would be more than half of it. So a list of fields only ever grows, at its end (`stored.test.ts`).
 */

const FIELDS: ReadonlyMap<string, readonly string[]> = new Map(
  EVENT_SOURCES.map(({ resource, data }) => [resource, Object.keys(data)]),
);

/** The data of an event about such a record, with the names of its fields. Events of before were kept with their names. */
export function eventData(resource: string, stored: JsonObject | readonly Json[]): JsonObject {
  if (!Array.isArray(stored)) return stored as JsonObject;
  const fields = FIELDS.get(resource) ?? [];
  return Object.fromEntries(fields.slice(0, stored.length).map((field, index) => [field, stored[index]]));
}
