import type { Client } from 'pg';
import type { EventSource } from '../../src/domain/events/source.ts';
import { type EventPart, eventParts } from './event-triggers.ts';

/**
 * What a migrated database must have changed so that its triggers write the events of the list: parts that it lacks or has
 * otherwise, and parts that the list has no more. Empty when it does already. Definitions are compared as the server
 * writes them, so that white space and the like count for nothing but in the bodies of functions.
 */
export async function eventChanges(client: Client, sources?: readonly EventSource[]): Promise<readonly EventPart[]> {
  const parts = eventParts(sources);
  const before = await definitions(client);
  let after: ReadonlyMap<string, string>;
  await client.query('BEGIN');
  try {
    for (const { sql } of parts) await client.query(sql);
    after = await definitions(client);
  } finally {
    await client.query('ROLLBACK');
  }
  const wanted = new Set(parts.map(({ name }) => name));
  const gone = [...before.keys()].filter((name) => !wanted.has(name));
  // A function goes after the triggers that call it, and `trigger` comes after `function` in the alphabet.
  const dropped = gone
    .toSorted()
    .toReversed()
    .map((name) => ({ name, sql: `DROP ${name.replace(/^\w+/, (kind) => kind.toUpperCase())};` }));
  return [...dropped, ...parts.filter(({ name }) => before.get(name) !== after.get(name))];
}

/** By the names of `EventPart`. */
async function definitions(client: Client): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ name: string; definition: string }>(DEFINITIONS);
  return new Map(rows.map(({ name, definition }) => [name, definition]));
}

const DEFINITIONS = `
WITH writers AS (SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosrc ~* 'insert\\s+into\\s+domain_event')
SELECT 'function ' || oid::regprocedure AS name, pg_get_functiondef(oid) AS definition FROM writers
UNION ALL
SELECT format('trigger %I on %s', tgname, tgrelid::regclass), pg_get_triggerdef(oid) FROM pg_trigger
 WHERE NOT tgisinternal AND tgfoid IN (SELECT oid FROM writers)
UNION ALL
SELECT 'constraint ' || conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'known_event_type'`;
