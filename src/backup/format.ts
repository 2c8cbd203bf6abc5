import { createHash } from 'node:crypto';
import { z } from 'zod';

/**
 * What a backup is, inside of its encryption and compression: lines of text, and between them rows as `COPY` writes them.
 *
 *     roomy-backup {header}
 *     table {"name":"guest","columns":["id",...]}
 *     <rows>
 *     \.
 *     end {"name":"guest","rows":12,"sha256":"..."}      the digest is that of the bytes of its rows
 *     ...
 *     complete {"tables":[all the ends]}
 *
 * So a file can be read without this program: `age -d -i key.txt backup.age | gunzip`.
 */
export const FORMAT = 1;
/** In front of the header. */
export const MAGIC = 'roomy-backup ';
export const END_OF_ROWS = '\\.\n';
/** Of one line that is not a row, in bytes. */
export const MAX_LINE = 4 * 1024 * 1024;

/** A backup that cannot be made, or is not what it should be: a sentence for the operator. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}

const name = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/);
const TableHeader = z.strictObject({ name, columns: z.array(name).min(1) });
const TableEnd = z.strictObject({ name, rows: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) });
export type TableEnd = z.output<typeof TableEnd>;

const Header = z.object({
  format: z.literal(FORMAT),
  /** When the snapshot was taken, by the clock of the database (ISO 8601). */
  takenAt: z.iso.datetime(),
  /** Of the server, as `server_version_num`. */
  postgres: z.int(),
  /** All that the database had applied, in order. */
  migrations: z.array(z.strictObject({ name: z.string(), sha256: z.string() })).min(1),
  /** In the order of the file, with the rows that the snapshot has. */
  tables: z.array(z.strictObject({ name, rows: z.int().min(0) })).min(1),
  /** `last`: null when it has given no number yet. */
  sequences: z.array(z.strictObject({ name, last: z.int().nullable() })),
  /** Where the open partition of each table begins that is cut by time. */
  openFrom: z.record(name, z.string()),
});
export type Header = z.output<typeof Header>;

const Complete = z.strictObject({ tables: z.array(TableEnd) });

/** The lines that are no rows, by what they begin with. */
const LINES = { [MAGIC]: Header, 'table ': TableHeader, 'end ': TableEnd, 'complete ': Complete } as const;
type Lines = typeof LINES;
export type LineKind = keyof Lines;

export const lineOf = <K extends LineKind>(kind: K, value: z.input<Lines[K]>): Buffer =>
  Buffer.from(`${kind}${JSON.stringify(value)}\n`);

/** Null: it is a line of another kind, or none. */
export function readLineOf<K extends LineKind>(kind: K, line: string): z.output<Lines[K]> | null {
  if (!line.startsWith(kind)) return null;
  try {
    const read = LINES[kind].safeParse(JSON.parse(line.slice(kind.length)));
    return read.success ? (read.data as z.output<Lines[K]>) : null;
  } catch {
    return null;
  }
}

/** Counts the rows of one table and takes their digest, as they pass. */
export function createTally(table: string) {
  const hash = createHash('sha256');
  let rows = 0;
  return {
    add(chunk: Buffer): void {
      hash.update(chunk);
      // A line break within a value is written as `\n`, so each is the end of a row.
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) rows += 1;
    },
    rows: () => rows,
    end: (): TableEnd => ({ name: table, rows, sha256: hash.digest('hex') }),
  };
}
