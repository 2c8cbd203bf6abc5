import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import type { MovementKind } from '../../db/schema.ts';
import { isCardNumber } from '../../kernel/card-number.ts';
import { type ErrorDetails, RoomyError } from '../../kernel/errors.ts';
import { CURRENCY_PATTERN, parseAnswerable } from '../../kernel/money.ts';
import { endOfDay, isBareDate, startOfDay } from '../../kernel/period.ts';
import type { SettledMovement } from './reconciliation-match.ts';

/** A gateway's settlement file: CSV in UTF-8 with a header of these columns, in any order. */
export const SETTLEMENT_COLUMNS = [
  'type',
  'reference',
  'provider_id',
  'amount',
  'currency',
  'fee',
  'date',
  'settled',
] as const;
type Column = (typeof SETTLEMENT_COLUMNS)[number];

export const MAX_SETTLEMENT_BYTES = 5 * 1024 * 1024;
export const MAX_SETTLEMENT_LINES = 50_000;
const MAX_LINE_CHARS = 4_096;

export interface SettlementFile {
  readonly movements: readonly SettledMovement[];
  /** Hex; the same file is reconciled once. */
  readonly sha256: string;
  /** The time of the file: from its first movement until just after its last. */
  readonly from: Date;
  readonly to: Date;
}

/**
 * Reads a file as it arrives; the caller bounds the number of bytes, and bare dates are days in the zone. Throws
 * `SETTLEMENT_FILE_INVALID` or `CARD_DATA_FORBIDDEN` that name the line and the reason, and never the text of the line.
 */
export async function readSettlementFile(chunks: AsyncIterable<Uint8Array>, zone: string): Promise<SettlementFile> {
  const hash = createHash('sha256');
  const movements: SettledMovement[] = [];
  const seen = new Set<string>();
  let to = 0;
  try {
    await pipeline(
      decoded(chunks, (bytes) => hash.update(bytes)),
      parse({
        bom: true,
        columns: columnsOf,
        info: true,
        trim: true,
        skip_empty_lines: true,
        max_record_size: MAX_LINE_CHARS,
      }),
      async (records: AsyncIterable<{ info: { lines: number }; record: Record<Column, string> }>) => {
        for await (const { info, record } of records) {
          if (movements.length === MAX_SETTLEMENT_LINES) throw invalid({ line: info.lines, reason: 'TOO_MANY_LINES' });
          const { movement, until } = movementOf(record, info.lines, zone);
          const key = `${movement.kind} ${movement.providerId}`;
          if (seen.has(key)) throw invalid({ line: info.lines, column: 'provider_id', reason: 'DUPLICATE' });
          seen.add(key);
          movements.push(movement);
          to = Math.max(to, until);
        }
      },
    );
  } catch (error) {
    if (error instanceof CsvError) throw invalid({ line: lineOf(error), reason: error.code });
    throw error;
  }
  if (movements.length === 0) throw invalid({ line: 1, reason: 'EMPTY' });
  const from = movements.reduce((first, { at }) => Math.min(first, at.getTime()), to);
  return { movements, sha256: hash.digest('hex'), from: new Date(from), to: new Date(to) };
}

const invalid = (details: ErrorDetails): RoomyError => new RoomyError('SETTLEMENT_FILE_INVALID', { details });
const lineOf = (error: CsvError): number => (typeof error['lines'] === 'number' ? error['lines'] : 1);

/** A multi-byte character may be cut between two chunks. */
async function* decoded(chunks: AsyncIterable<Uint8Array>, note: (bytes: Uint8Array) => void): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for await (const bytes of chunks) {
    note(bytes);
    yield text(() => decoder.decode(bytes, { stream: true }));
  }
  yield text(() => decoder.decode());
}

function text(decode: () => string): string {
  try {
    return decode();
  } catch (cause) {
    throw new RoomyError('SETTLEMENT_FILE_INVALID', { details: { reason: 'NOT_UTF_8' }, cause });
  }
}

function columnsOf(header: readonly string[]): Column[] {
  const names = header.map((name) => SETTLEMENT_COLUMNS.find((column) => column === name.toLowerCase()));
  const missing = SETTLEMENT_COLUMNS.filter((column) => !names.includes(column));
  if (missing.length > 0) throw invalid({ line: 1, reason: 'MISSING_COLUMNS', columns: missing });
  return names.map((name, at) => {
    if (name !== undefined && names.indexOf(name) === at) return name;
    throw invalid({ line: 1, reason: 'UNKNOWN_OR_DOUBLE_COLUMN', position: at + 1 });
  });
}

/** `Date` takes the 31st of February for the 3rd of March. */
const isCalendarDay = (text: string): boolean =>
  !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text);

const KINDS: readonly MovementKind[] = ['CHARGE', 'REFUND', 'PAYOUT'];
const VISIBLE = /^[\x21-\x7e]{1,200}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
/** With a day to spare, for days on the clocks of all zones. */
const MIN_MS = Date.UTC(1999, 11, 31);
const MAX_MS = Date.UTC(2101, 0, 2);

function movementOf(
  record: Record<Column, string>,
  line: number,
  zone: string,
): { movement: SettledMovement; until: number } {
  const wrong = (column: Column, reason = 'INVALID'): RoomyError => invalid({ line, column, reason });
  const kind = KINDS.find((known) => known === record.type.toUpperCase());
  if (!kind) throw wrong('type');
  for (const column of ['reference', 'provider_id'] as const) {
    if (!VISIBLE.test(record[column])) throw wrong(column);
    if (isCardNumber(record[column])) throw new RoomyError('CARD_DATA_FORBIDDEN', { details: { line, column } });
  }
  if (!CURRENCY_PATTERN.test(record.currency)) throw wrong('currency');
  const money = (column: 'amount' | 'fee'): number => {
    try {
      return parseAnswerable(record[column], record.currency).amountMinor;
    } catch (error) {
      throw wrong(column, error instanceof RoomyError ? error.code : 'INVALID');
    }
  };
  const amountMinor = money('amount');
  if (amountMinor === 0) throw wrong('amount', 'AMOUNT_NOT_POSITIVE');
  if (!MOMENT.test(record.date) || !isCalendarDay(record.date.slice(0, 10))) throw wrong('date');
  // A date without a time is the whole day.
  const isDay = isBareDate(record.date);
  const at = isDay ? startOfDay(record.date, zone).epochMilliseconds : Date.parse(record.date);
  if (!(at >= MIN_MS && at < MAX_MS)) throw wrong('date');
  const settled = record.settled.toLowerCase();
  if (settled !== 'yes' && settled !== 'no') throw wrong('settled');
  return {
    movement: {
      kind,
      reference: record.reference,
      providerId: record.provider_id,
      amountMinor,
      // Where the file gives no fee, the booked one is taken as right.
      feeMinor: record.fee === '' ? null : money('fee'),
      currency: record.currency,
      at: new Date(at),
      settled: settled === 'yes',
      failed: false,
    },
    until: isDay ? endOfDay(record.date, zone).epochMilliseconds : at + 1,
  };
}

/** A text that a spreadsheet would take for a formula (security.md X6). */
const FORMULA = /^[=+\-@\t\r]/;
const cell = (value: string): string => {
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
/** RFC 4180. Texts are made safe for spreadsheets; numbers stay numbers. */
export const csvLine = (values: readonly (string | number | null)[]): string =>
  `${values.map((value) => (typeof value === 'string' ? cell(value) : (value ?? ''))).join(',')}\r\n`;
