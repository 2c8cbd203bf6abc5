import { type CompiledQuery, type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { compiledOnce } from '../../db/compiled-once.ts';
import { literal } from '../../db/literal.ts';
import { openColumn } from '../../db/sealed-fields.ts';
import { MESSAGES } from './catalogue/index.ts';
import { printerFor } from './print.ts';
import { variablesOf } from './render.ts';
import { TEMPLATES } from './templates.ts';
import { accessColumns } from './variables/access.ts';
import { accountColumns } from './variables/account.ts';
import { CATALOGUE, type VariableName } from './variables/index.ts';
import { moneyColumns } from './variables/money.ts';
import { peopleColumns } from './variables/people.ts';
import { propertyColumns } from './variables/property.ts';
import { stayColumns, timesOf } from './variables/stay.ts';
import { taskColumns } from './variables/task.ts';
import type { Uses } from './variables/variable.ts';

/**
 * The facts that a message prints, read when it is sent: its row holds only ids, so a name that has changed or a stay
 * that was cancelled meanwhile is seen. One statement for a whole batch.
 */
export type Facts = Row & {
  /** Of the link to the guest's page of the stay: made where the message is, and kept nowhere. */
  readonly stayToken?: string;
};
export type Scalar = string | number | boolean | null;

/** One row per id that exists; everything that the notification does not point at is null. `events`: theirs. */
export async function loadFacts(
  db: Db | Tx,
  notificationIds: readonly string[],
  events: readonly string[] = LOADING,
): Promise<readonly Row[]> {
  const [only = NONE, ...others] = LOADING.filter((event) => events.includes(event));
  const statement = (others.length === 0 && statements.get(only)) || every;
  const rows = await statement(db, notificationIds);
  return openColumn(db, 'amenity_grant.access_code', 'accessCode', rows, ({ reservationId }) => reservationId);
}

type Row = ReturnType<typeof factsQuery> extends CompiledQuery<infer Facts> ? Facts : never;

function factsQuery(db: Db, notificationIds: RawBuilder<readonly string[]>, events: readonly string[]) {
  return (
    db
      .selectFrom('notification as n')
      .leftJoin('guest as g', (join) => join.onRef('g.id', '=', 'n.recipient_id').on('n.recipient_type', '=', 'GUEST'))
      .leftJoin('owner as o', (join) => join.onRef('o.id', '=', 'n.recipient_id').on('n.recipient_type', '=', 'OWNER'))
      .leftJoin('staff as s', (join) => join.onRef('s.id', '=', 'n.recipient_id').on('n.recipient_type', '=', 'STAFF'))
      .leftJoin('reservation as r', 'r.id', 'n.reservation_id')
      .leftJoin('guest as rg', 'rg.id', 'r.guest_id')
      .leftJoin('income_distribution as d', 'd.version', 'r.distribution_version')
      .leftJoin('task as t', 't.id', 'n.task_id')
      .leftJoin('repair_approval as ra', (join) =>
        join
          .onRef('ra.task_id', '=', 'n.task_id')
          .onRef('ra.owner_id', '=', 'n.recipient_id')
          .on('n.recipient_type', '=', 'OWNER'),
      )
      .leftJoin('task_offer as f', (join) =>
        join
          .onRef('f.task_id', '=', 'n.task_id')
          .onRef('f.staff_id', '=', 'n.recipient_id')
          .onRef('f.staff_id', '=', 't.assignee_id')
          .onRef('f.accept_by', '=', 't.accept_by')
          .on('n.recipient_type', '=', 'STAFF'),
      )
      .leftJoin('amenity_grant as a', (join) =>
        join.onRef('a.reservation_id', '=', 'n.reservation_id').on('a.status', '=', literal('ACTIVE')),
      )
      .leftJoin('property as p', (join) =>
        join.on((eb) => eb('p.id', '=', eb.fn.coalesce('r.property_id', 't.property_id'))),
      )
      // An array parameter: the statement has one text, and one plan, whatever the number of ids.
      .where('n.id', '=', sql<string>`ANY(${notificationIds})`)
      .select([
        'n.id',
        'n.params',
        'n.created_at as orderedAt',
        'n.due_at as dueAt',
        't.title as taskTitle',
        't.id as taskId',
        't.type as taskType',
        't.status as taskStatus',
        't.assignee_id as taskAssigneeId',
        't.approval as approval',
        't.accept_by as acceptBy',
        't.accepted_at as acceptedAt',
        't.completion as completion',
        'ra.token as approvalToken',
        'f.token as offerToken',
        ...peopleColumns,
        ...stayColumns(USES),
        ...propertyColumns(USES),
        ...moneyColumns(USES),
        ...taskColumns(USES),
        ...accessColumns,
        ...accountColumns(USES),
        ownFacts(events).as('own'),
      ])
      .compile()
  );
}

const textsNaming = (names: readonly string[]): readonly string[] =>
  Object.entries(TEMPLATES).flatMap(([key, { subject, message }]) =>
    variablesOf([...subject, ...message]).some((name) => names.includes(name)) ? [key] : [],
  );
const USES: Uses = {
  mayUse: (...names: readonly string[]) => {
    const events = MESSAGES.filter(({ variables }) => variables.some((name: string) => names.includes(name)));
    return sql<boolean>`n.event = ANY(${events.map(({ event }) => event)}::text[])`;
  },
  names: (...names: readonly string[]) => sql<boolean>`n.template = ANY(${textsNaming(names)}::text[])`,
};

/** The events whose files ask for facts of their own. */
const LOADING: readonly string[] = MESSAGES.flatMap(({ event, loads }) => (loads === undefined ? [] : [event]));
const NONE = 'none';
const statementOf = (events: readonly string[]) =>
  compiledOnce((db, ids: RawBuilder<readonly string[]>) => factsQuery(db, ids, events));
const every = statementOf(LOADING);
/**
 * By the only event of a batch that asks for facts of its own. To plan those of all is most of the cost of the statement,
 * which each connection pays again whenever the tables were analyzed; and most batches need those of one.
 */
const statements = new Map([
  [NONE, statementOf([])],
  ...LOADING.map((event) => [event, statementOf([event])] as const),
]);

/** The facts that the files of these events ask for; null of other events. */
function ownFacts(events: readonly string[]): RawBuilder<Readonly<Record<string, Scalar>> | null> {
  const cases = MESSAGES.flatMap(({ event, loads }) => {
    if (loads === undefined || !events.includes(event)) return [];
    const pairs = Object.entries(loads).map(([name, value]) => sql`${name}::text, ${value}`);
    return [sql`WHEN ${event}::text THEN json_build_object(${sql.join(pairs)})`];
  });
  return cases.length === 0 ? sql`NULL::json` : sql`CASE n.event ${sql.join(cases, sql` `)} END`;
}

/**
 * A value, or null where the notification has none; a template decides which it cannot do without. Of a text that names few,
 * `names` spares the others: most of the cost of a message is in printing days and times.
 */
export function valuesOf(
  facts: Facts,
  textLocale = 'en',
  /** Of the API, as people reach it; null: links are not known. */
  publicUrl: string | null = null,
  names: readonly string[] | null = null,
): Readonly<Record<VariableName, string | null>> {
  const print = printerFor(textLocale, facts, { publicUrl, times: timesOf(facts) });
  const named = Object.entries(CATALOGUE).map(
    ([name, { read }]) => [name, names === null || names.includes(name) ? read(facts, print) : null] as const,
  );
  return Object.fromEntries(named) as Record<VariableName, string | null>;
}
