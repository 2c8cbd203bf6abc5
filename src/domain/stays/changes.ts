import type { Db } from '../../db/client.ts';
import type { Json, TransactionType } from '../../db/schema.ts';
import { toMajor } from '../../kernel/money.ts';
import { type PreviewSettings, type Words, wordsOf } from '../messages/preview.ts';
import {
  type Booking,
  type ChangeRow,
  type ChangeRows,
  type Resource,
  readBookings,
  readChangeRows,
  type Touched,
} from './change-rows.ts';
import { ruleOf, type TermsByVersion, type TransactionRule, termsByVersion } from './timeline-rules.ts';

/**
 * What has come of sagas, or would: the rows before and after, compared. What is new has no id, as in a plan it never gets one.
 * Amounts are major units, times ISO instants.
 */

export interface StateChange {
  readonly resource: 'reservation' | 'property' | 'payment' | 'access';
  /** Null: it is new. */
  readonly id: string | null;
  readonly field: string;
  readonly from: Json;
  readonly to: Json;
}
export interface TaskChange {
  readonly change: 'MADE' | 'MOVED' | 'DROPPED' | 'CHANGED';
  readonly id: string | null;
  readonly type: Json;
  readonly occurrence: Json;
  /** Before; null: it is new. */
  readonly status: Json;
  readonly becomes: Json;
  readonly assigneeId: Json;
  readonly startsAt: Json;
  readonly endsAt: Json;
  readonly mustFinishBy: Json;
}
export type MoneyChange = BookedMoney | TransactionChange;
/** A booking: by how much more, or less, the party has of it. */
export interface BookedMoney {
  readonly kind: 'BOOKING';
  readonly party: string;
  readonly partyId: string | null;
  readonly what: string;
  readonly amount: number;
  readonly currency: string;
  readonly rule: TransactionRule | null;
}
export interface TransactionChange {
  readonly kind: 'TRANSACTION';
  readonly id: string | null;
  readonly type: Json;
  readonly status: Json;
  readonly becomes: Json;
  readonly amount: number;
  readonly outstanding: number;
  readonly currency: string;
  readonly ownerId: Json;
  readonly scheduledFor: Json;
  readonly rule: TransactionRule | null;
}
export interface MessageChange {
  readonly change: 'ORDERED' | 'WITHDRAWN' | 'MOVED';
  readonly id: string | null;
  readonly event: Json;
  readonly template: Json;
  readonly channel: Json;
  readonly recipientType: Json;
  readonly recipientId: Json;
  readonly dueAt: Json;
  readonly reason: Json;
  /** As it would read now; null: it is withdrawn, or its text waits for something. */
  readonly words: Words | null;
}
export interface Changes {
  readonly changes: readonly StateChange[];
  readonly tasks: readonly TaskChange[];
  readonly money: readonly MoneyChange[];
  readonly messages: readonly MessageChange[];
}

/** The rows as they stand here, with what else a plan needs of them. */
export interface Standing {
  readonly touched: Touched;
  readonly rows: ChangeRows;
  readonly bookings: readonly Booking[];
  readonly terms: TermsByVersion;
  /** Of messages that wait. */
  readonly words: ReadonlyMap<string, Words>;
}

/** Reads what the touched rows are now. */
export async function readStanding(db: Db, touched: Touched, settings: PreviewSettings): Promise<Standing> {
  const rows = await readChangeRows(db, touched);
  const bookings = await readBookings(db, touched.sagaIds);
  const versions = [...rows.transaction.values()].map((row) => numberOf(row, 'distribution_version'));
  const waiting = [...rows.message].filter(([, row]) => fieldOf(row, 'status') === WAITING).map(([id]) => id);
  const words = await wordsOf(db, waiting, settings);
  return { touched, rows, bookings, terms: await termsByVersion(db, versions), words };
}

/** The difference, in an order of its own that does not depend on ids of what is new. */
export function changesBetween(before: ChangeRows, after: Standing): Changes {
  return {
    changes: STATES.flatMap(([resource, fields]) => stateChanges(resource, fields, before, after.rows)),
    tasks: changed('task', before, after.rows).map(taskChange).toSorted(byText),
    money: [
      ...changed('transaction', before, after.rows)
        .map((row) => transactionChange(row, after.terms))
        .toSorted(byText),
      ...after.bookings.map(bookedMoney),
    ],
    messages: changed('message', before, after.rows)
      .map((row) => messageChange(row, withoutNewIds(after.words.get(row.key), before, after.rows)))
      .toSorted(byText),
  };
}

/** The words of a message, which may name what does not exist yet, such as the number of a receipt. */
function withoutNewIds(words: Words | undefined, before: ChangeRows, after: ChangeRows): Words | null {
  if (!words) return null;
  const made = (['transaction', 'task', 'payment'] as const).flatMap((resource) =>
    [...after[resource].keys()].filter((id) => !before[resource].has(id)),
  );
  return { ...words, text: made.reduce((text, id) => text.replaceAll(id, '…'), words.text) };
}

const STATES = [
  ['reservation', ['status', 'paymentStatus', 'departureDate']],
  ['property', ['readiness', 'amenityStatus']],
  ['payment', ['status']],
  ['access', ['status', 'validUntil']],
] as const satisfies readonly (readonly [Resource, readonly string[]])[];

interface Changed {
  readonly key: string;
  /** Null: it is new. */
  readonly id: string | null;
  readonly was: ChangeRow | undefined;
  readonly is: ChangeRow;
}

/** Rows that are new, or not what they were. */
function changed(resource: Resource, before: ChangeRows, after: ChangeRows): readonly Changed[] {
  return [...after[resource]].flatMap(([id, is]) => {
    const was = before[resource].get(id);
    if (was && JSON.stringify(was) === JSON.stringify(is)) return [];
    return [{ key: id, id: was ? id : null, was, is }];
  });
}

function stateChanges(
  resource: StateChange['resource'],
  fields: readonly string[],
  before: ChangeRows,
  after: ChangeRows,
): readonly StateChange[] {
  const found = changed(resource, before, after).flatMap(({ id, was, is }) =>
    fields.flatMap((field): readonly StateChange[] => {
      const [from, to] = [fieldOf(was, field), fieldOf(is, field)];
      return from === to ? [] : [{ resource, id, field, from, to }];
    }),
  );
  return found.toSorted(byText);
}

const DROPPED = new Set<Json>(['CANCELLED', 'MERGED', 'OVERTAKEN']);

function taskChange({ id, was, is }: Changed): TaskChange {
  const moved = ['startsAt', 'endsAt', 'mustFinishBy'].some((field) => fieldOf(was, field) !== fieldOf(is, field));
  const isDropped = DROPPED.has(fieldOf(is, 'status')) && fieldOf(was, 'status') !== fieldOf(is, 'status');
  return {
    change: isDropped ? 'DROPPED' : was === undefined ? 'MADE' : moved ? 'MOVED' : 'CHANGED',
    id,
    type: fieldOf(is, 'type'),
    occurrence: fieldOf(is, 'occurrence'),
    status: fieldOf(was, 'status'),
    becomes: fieldOf(is, 'status'),
    assigneeId: fieldOf(is, 'assigneeId'),
    startsAt: instant(is, 'startsAt'),
    endsAt: instant(is, 'endsAt'),
    mustFinishBy: instant(is, 'mustFinishBy'),
  };
}

function transactionChange({ id, was, is }: Changed, terms: TermsByVersion): TransactionChange {
  const currency = textOf(is, 'currency');
  const type = textOf(is, 'type');
  return {
    kind: 'TRANSACTION',
    id,
    type,
    status: fieldOf(was, 'status'),
    becomes: fieldOf(is, 'status'),
    amount: toMajor({ amountMinor: numberOf(is, 'amountMinor') ?? 0, currency }),
    outstanding: toMajor({ amountMinor: numberOf(is, 'outstandingMinor') ?? 0, currency }),
    currency,
    ownerId: fieldOf(is, 'ownerId'),
    scheduledFor: instant(is, 'scheduledFor'),
    rule: ruleOf(
      {
        type: type as TransactionType,
        distribution_version: numberOf(is, 'distribution_version'),
        details: fieldOf(is, 'details'),
      },
      terms,
    ),
  };
}

const bookedMoney = ({ party, partyId, kind, amountMinor, currency, rule }: Booking): BookedMoney => ({
  kind: 'BOOKING',
  party,
  partyId,
  what: kind,
  amount: toMajor({ amountMinor, currency }),
  currency,
  rule,
});

const WAITING: Json = 'QUEUED';

function messageChange({ id, was, is }: Changed, words: Words | null): MessageChange {
  const isWithdrawn = was !== undefined && fieldOf(is, 'status') !== WAITING;
  return {
    change: was === undefined ? 'ORDERED' : isWithdrawn ? 'WITHDRAWN' : 'MOVED',
    id,
    event: fieldOf(is, 'event'),
    template: fieldOf(is, 'template'),
    channel: fieldOf(is, 'channel'),
    recipientType: fieldOf(is, 'recipientType'),
    recipientId: fieldOf(is, 'recipientId'),
    dueAt: instant(is, 'dueAt'),
    reason: fieldOf(is, 'reason'),
    words,
  };
}

const fieldOf = (row: ChangeRow | undefined, field: string): Json => row?.[field] ?? null;
const textOf = (row: ChangeRow, field: string): string => {
  const value = fieldOf(row, field);
  return typeof value === 'string' ? value : '';
};
const numberOf = (row: ChangeRow, field: string): number | null => {
  const value = fieldOf(row, field);
  return typeof value === 'number' ? value : null;
};
const instant = (row: ChangeRow, field: string): string | null => {
  const value = fieldOf(row, field);
  return typeof value === 'string' ? new Date(value).toISOString() : null;
};
const byText = (a: object, b: object): number => {
  const [left, right] = [JSON.stringify({ ...a, id: null }), JSON.stringify({ ...b, id: null })];
  return left < right ? -1 : Number(left > right);
};
