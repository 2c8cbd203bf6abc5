import type { EventSource, RowExpression } from '../../src/domain/events/source.ts';
import { EVENT_SOURCES } from '../../src/domain/events/sources.ts';

/**
 * The text of the triggers that write events, made of the list of sources: a function for each entry, a trigger for new
 * rows and one for changed ones, and the constraint that holds the feed to the types of the list.
 */

/** What the database calls one part, and the statements that make it or replace it. */
export interface EventPart {
  /** `function task_events()`, `trigger events_of_new on task`, `constraint known_event_type`. */
  readonly name: string;
  readonly sql: string;
}

/** All parts, in the order in which they can be made. */
export const eventParts = (sources: readonly EventSource[] = EVENT_SOURCES): readonly EventPart[] => [
  constraintOf(sources),
  ...sources.map(functionOf),
  ...sources.flatMap(triggersOf),
];

const CONSTRAINT = 'known_event_type';
const MAX_LINE = 110;

/** Events that are there already may be of a type that the list has no more. */
function constraintOf(sources: readonly EventSource[]): EventPart {
  const types = sources.flatMap(({ resource, events }) => Object.keys(events).map((name) => quoted(resource, name)));
  return {
    name: `constraint ${CONSTRAINT}`,
    sql: `ALTER TABLE domain_event DROP CONSTRAINT ${CONSTRAINT};
ALTER TABLE domain_event ADD CONSTRAINT ${CONSTRAINT} CHECK (type IN (
${wrapped(types, 4)}
  )) NOT VALID;`,
  };
}

/** Names and constants of the list hold no quotes: they are identifiers. */
const quoted = (resource: string, name: string): string => `'${resource}.${name}'`;
const functionName = ({ resource }: EventSource): string => `${resource}_events`;

function functionOf(source: EventSource): EventPart {
  const byStatement = source.each === 'STATEMENT';
  const [n, o] = byStatement ? ['n', 'o'] : ['NEW', 'OLD'];
  // A trigger for rows has these conditions in its WHEN.
  const where = (...conditions: readonly (string | null)[]): string =>
    byStatement && conditions.some((one) => one !== null) ? `\n     WHERE ${allOf(conditions)}` : '';
  const inserted = `${insertOf(source, typeOfNew(source, n), n)}${
    byStatement ? `\n      FROM new_rows n${where(only(source, n), comesInSilence(source, n))}` : ''
  };`;
  const changed = `${insertOf(source, typeOfChange(source, n, o), n)}${
    byStatement
      ? `\n      FROM new_rows n JOIN old_rows o ON o.id = n.id${where(only(source, n), isChange(source, n, o))}`
      : ''
  };`;
  const body =
    source.inserted === null
      ? changed.replaceAll(/^ {2}/gm, '')
      : `  IF TG_OP = 'INSERT' THEN\n${inserted}\n  ELSE\n${changed}\n  END IF;`;
  return {
    name: `function ${functionName(source)}()`,
    sql: `CREATE OR REPLACE FUNCTION ${functionName(source)}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
${body}
  RETURN NULL;
END $$;`,
  };
}

function insertOf(source: EventSource, type: string, n: string): string {
  const values = Object.values(source.data).map((value) => expressionOf(value, n));
  const stay = source.reservationId === null ? 'NULL' : expressionOf(source.reservationId, n);
  return `    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT ${type},
      '${source.resource}', ${n}.id, ${stay}, jsonb_build_array(
${wrapped(values, 8)})`;
}

function triggersOf(source: EventSource): readonly EventPart[] {
  const prefix = source.resource === source.table ? '' : `${source.resource}_`;
  const rows = source.each === 'ROW';
  const trigger = (name: string, event: string, tables: string, when: string | null): EventPart => ({
    name: `trigger ${prefix}${name} on ${source.table}`,
    sql: `CREATE OR REPLACE TRIGGER ${prefix}${name} AFTER ${event} ON ${source.table}${rows ? '' : ` REFERENCING ${tables}`}
  FOR EACH ${source.each}${rows && when !== null ? ` WHEN (${when})` : ''} EXECUTE FUNCTION ${functionName(source)}();`,
  });
  const ofNew = trigger(
    'events_of_new',
    'INSERT',
    'NEW TABLE AS new_rows',
    allOf([only(source, 'NEW'), comesInSilence(source, 'NEW')]),
  );
  const ofChange = trigger(
    'events_of_change',
    'UPDATE',
    'OLD TABLE AS old_rows NEW TABLE AS new_rows',
    allOf([only(source, 'NEW'), isChange(source, 'NEW', 'OLD')]),
  );
  return source.inserted === null ? [ofChange] : [ofNew, ofChange];
}

const typeOfNew = (source: EventSource, n: string): string =>
  source.inserted === 'BY_STATE' ? typeOfState(source, n) : quoted(source.resource, source.inserted ?? '');

/** The type of a changed row: by its new state, or else by the first change of the list. */
function typeOfChange(source: EventSource, n: string, o: string): string {
  const { states, changes, resource } = source;
  const moves = states === undefined ? [] : [[isMove(n, o), typeOfState(source, n)]];
  const cases = [
    ...moves,
    ...changes.map(({ event, columns }) => [isDistinct(columns, n, o), quoted(resource, event)]),
  ];
  const [first] = cases;
  if (cases.length === 1 && first !== undefined) return first[1] ?? '';
  return `CASE${cases.map(([when, type]) => `\n      WHEN ${when} THEN ${type}`).join('')} END`;
}

function typeOfState({ resource, states = {} }: EventSource, n: string): string {
  const named = Object.entries(states).flatMap(([state, event]) =>
    event === null ? [] : [`\n        WHEN '${state}' THEN ${quoted(resource, event)}`],
  );
  return `CASE ${n}.status${named.join('')} END`;
}

const OR = '\n        OR ';

/** Whether a changed row makes an event. */
const isChange = (source: EventSource, n: string, o: string): string =>
  allOf([source.onlyWith === undefined ? null : isDistinct([source.onlyWith], n, o), hasEvent(source, n, o)]) ?? '';

function hasEvent(source: EventSource, n: string, o: string): string {
  const changed = source.changes.map(({ columns }) => isDistinct(columns, n, o)).join(OR);
  if (source.states === undefined) return changed;
  const moved = allOf([isMove(n, o), isTold(source, n)]) ?? '';
  if (changed === '') return moved;
  // A state without an event has none for what changed beside it either.
  return silent(source).length === 0
    ? `${moved}${OR}${changed}`
    : `${moved}${OR}${n}.status = ${o}.status AND (${changed})`;
}

const isMove = (n: string, o: string): string => `${n}.status <> ${o}.status`;
const comesInSilence = (source: EventSource, n: string): string | null =>
  source.inserted === 'BY_STATE' ? isTold(source, n) : null;
/** Null when every state has its event. */
const isTold = (source: EventSource, n: string): string | null =>
  silent(source).length === 0
    ? null
    : `${n}.status NOT IN (${silent(source)
        .map((state) => `'${state}'`)
        .join(', ')})`;
const silent = ({ states = {} }: EventSource): readonly string[] =>
  Object.entries(states).flatMap(([state, event]) => (event === null ? [state] : []));

function isDistinct(columns: readonly string[], n: string, o: string): string {
  const of = (alias: string): string => {
    const all = columns.map((column) => `${alias}.${column}`).join(', ');
    return columns.length === 1 ? all : `(${all})`;
  };
  return `${of(n)} IS DISTINCT FROM ${of(o)}`;
}

const only = (source: EventSource, n: string): string | null =>
  source.only === undefined ? null : expressionOf(source.only, n);

const expressionOf = (value: string | RowExpression, n: string): string =>
  typeof value === 'string'
    ? `${n}.${value}`
    : value.text.reduce((text, part, index) => `${text}${n}.${value.columns[index - 1]}${part}`);

function allOf(conditions: readonly (string | null)[]): string | null {
  const asked = conditions.filter((one) => one !== null);
  if (asked.length === 0) return null;
  return asked.map((one) => (asked.length > 1 && one.includes(' OR ') ? `(${one})` : one)).join(' AND ');
}

/** A list in lines, indented by so many blanks. */
function wrapped(items: readonly string[], indent: number): string {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + item.length + 2 <= MAX_LINE - indent)
      lines[lines.length - 1] = `${last}, ${item}`;
    else lines.push(item);
  }
  return lines.map((line) => `${' '.repeat(indent)}${line}`).join(',\n');
}
