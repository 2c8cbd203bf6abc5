import { createHash, hkdfSync } from 'node:crypto';
import { InvariantError } from '../kernel/errors.ts';
import { type CipherKey, openBytes, sealBytes } from '../kernel/field-cipher.ts';

/**
 * What a program needs to read sealed fields: the keys of the configuration, which wrap the data keys of the table, and the data
 * keys that it has unwrapped of late.
 */
export interface FieldKeys {
  /** As `data_key.wrapped_by` has it: which key wraps by now. */
  readonly current: string;
  /** Of all keys that there are, the current one among them. */
  readonly names: readonly string[];
  wrap(dataKey: CipherKey, subject: string): Buffer;
  /** Throws `InvariantError` when the key is not there, or for what was changed or belongs to somebody else. */
  unwrap(row: WrappedKey): CipherKey;
  readonly known: KnownKeys;
}
/** A row of `data_key`. */
export interface WrappedKey {
  readonly id: string;
  readonly subject: string;
  readonly wrapped: Buffer;
  readonly wrapped_by: string;
}
/** A key of the configuration. */
interface Key {
  readonly kid: string;
  readonly secret: Uint8Array;
}

/** The first key wraps, each unwraps. Null for none: fields are written and read in clear. */
export function createFieldKeys(keys: readonly Key[]): FieldKeys | null {
  const derived = new Map(
    keys.map(({ kid, secret }) => {
      const bytes = Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), 'roomy field keys', 32));
      // Another key may have had the same name.
      return [`${kid}/${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`, bytes];
    }),
  );
  const [first] = derived;
  if (first === undefined) return null;
  const [current, wrapping] = first;
  const contextOf = (id: string, subject: string): string => `data_key\n${id}\n${subject}`;
  return {
    current,
    names: [...derived.keys()],
    wrap: ({ id, bytes }, subject) => sealBytes(wrapping, contextOf(id, subject), bytes),
    unwrap({ id, subject, wrapped, wrapped_by: name }) {
      const key = derived.get(name);
      if (key === undefined)
        throw new InvariantError(`FIELD_KEYS does not have the key ${name}, which wraps data keys`);
      return { id, bytes: openBytes(key, contextOf(id, subject), wrapped) };
    },
    known: createKnownKeys(),
  };
}

/** An erased person's key must not outlive its row by more than this. */
const KNOWN_MS = 30_000;
const MAX_KNOWN = 5_000;

/** Data keys that were unwrapped within the last 30 seconds: by their ids, and by whose they are. */
export interface KnownKeys {
  byId(id: string): CipherKey | undefined;
  bySubject(subject: string): CipherKey | undefined;
  add(subject: string, key: CipherKey): void;
}

export function createKnownKeys(nowMs: () => number = () => performance.now()): KnownKeys {
  interface Known {
    readonly key: CipherKey;
    readonly untilMs: number;
  }
  const ids = new Map<string, Known>();
  const subjects = new Map<string, Known>();
  const keep = (map: Map<string, Known>, name: string, known: Known): void => {
    map.delete(name);
    map.set(name, known);
    // Entries stand in the order of their ends.
    for (const [oldest, { untilMs }] of map) {
      if (map.size <= MAX_KNOWN && untilMs > nowMs()) break;
      map.delete(oldest);
    }
  };
  const valid = (known: Known | undefined): CipherKey | undefined =>
    known !== undefined && known.untilMs > nowMs() ? known.key : undefined;
  return {
    byId: (id) => valid(ids.get(id)),
    bySubject: (subject) => valid(subjects.get(subject)),
    add(subject, key) {
      const known = { key, untilMs: nowMs() + KNOWN_MS };
      keep(ids, key.id, known);
      keep(subjects, subject, known);
    },
  };
}
