import { type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson, sha256OfBytes } from '../../../kernel/json.ts';

/**
 * A seal says what the audit trail was between two moments, signed by a key that the database does not have. Seals follow one
 * another without a gap, and each holds the digest of the line before: who can write to the database can neither make one nor
 * leave one out.
 */
const Seal = z.strictObject({
  /** 1, 2, 3, ... */
  no: z.int().min(1),
  /** Rows after this moment, to the microsecond, ... */
  from: z.string().min(1).max(40),
  /** ... up to this one. The next seal begins here. */
  to: z.string().min(1).max(40),
  rows: z.int().min(0),
  /** SHA-256 of the hashes of these rows, by time, stream and number, in hex. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** SHA-256 of the line of the seal before, in hex; null in the first. */
  previous: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
});
export type Seal = z.output<typeof Seal>;
const Line = z.strictObject({ kid: z.string(), seal: Seal, signature: z.string() });

/** An Ed25519 pair. */
export interface SealKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** `from` of the first seal: everything before. */
export const BEFORE_ALL = '-infinity';

/** So that a signature of something else never does for one of a seal. */
const signed = (seal: Seal): Buffer => Buffer.from(`roomy audit seal 1\n${canonicalJson(seal)}`);

/** The seal as one line of JSON. */
export const sealLine = (seal: Seal, { kid, privateKey }: SealKey): string =>
  canonicalJson({ kid, seal, signature: sign(null, signed(seal), privateKey).toString('base64url') });

export interface SignedSeal {
  readonly line: string;
  readonly seal: Seal;
}

/** What the line says, if one of the keys has signed it; else null. */
export function readSeal(line: string | undefined, keys: readonly SealKey[]): SignedSeal | null {
  const parsed = Line.safeParse(line === undefined ? undefined : jsonOf(line));
  if (line === undefined || !parsed.success) return null;
  const { kid, seal, signature } = parsed.data;
  const key = keys.find((one) => one.kid === kid);
  const isSigned = key && verify(null, signed(seal), key.publicKey, Buffer.from(signature, 'base64url'));
  return isSigned ? { line, seal } : null;
}

/** What the next line has as `previous`. */
export const digestOfLine = (line: string): string => sha256OfBytes(Buffer.from(line)).toString('hex');

/** Whether the seal comes right after the other one; after none, whether it is the first. */
export const follows = (seal: Seal, before: SignedSeal | null): boolean =>
  before === null
    ? seal.no === 1 && seal.previous === null && seal.from === BEFORE_ALL
    : seal.no === before.seal.no + 1 && seal.from === before.seal.to && seal.previous === digestOfLine(before.line);

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
