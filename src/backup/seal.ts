import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { BackupError } from './format.ts';

/**
 * The encryption of backups (age-encryption.org/v1): to public keys, whose private half the machine that makes backups need not
 * have, or with a passphrase. Each piece of 64 KiB is authenticated, and the last one says that it is the last.
 */

export type Lock =
  | { readonly recipients: readonly string[] }
  /** One that people can remember is guessed: it is to be made by a machine. */
  | { readonly passphrase: string };
export type Key = { readonly identities: readonly string[] } | { readonly passphrase: string };

/** Throws `BackupError` for a recipient that is none, without its text. */
function encrypterFor(lock: Lock): Encrypter {
  const encrypter = new Encrypter();
  if ('passphrase' in lock) encrypter.setPassphrase(lock.passphrase);
  else for (const recipient of lock.recipients) taken('recipient', () => encrypter.addRecipient(recipient));
  return encrypter;
}

function decrypterFor(key: Key): Decrypter {
  const decrypter = new Decrypter();
  if ('passphrase' in key) decrypter.addPassphrase(key.passphrase);
  else for (const identity of key.identities) taken('identity', () => decrypter.addIdentity(identity));
  return decrypter;
}

function taken(what: 'recipient' | 'identity', take: () => void): void {
  try {
    take();
  } catch {
    throw new BackupError(`One of the keys is no ${what} of age: look for a missing or a wrong character`);
  }
}

/** A stage of a pipeline. */
type Stage = (source: AsyncIterable<Buffer>) => AsyncGenerator<Buffer, void, undefined>;

export const encrypted = (lock: Lock): Stage =>
  async function* (source) {
    yield* piecesOf(await encrypterFor(lock).encrypt(webStream(source)));
  };

/** Throws `BackupError` for a file that is none of age's, that none of the keys opens, or that is cut off or altered. */
export const decrypted = (key: Key): Stage =>
  async function* (source) {
    const opened = await decrypterFor(key)
      .decrypt(webStream(source))
      .catch((cause: unknown) => {
        throw asRefusal(cause);
      });
    try {
      yield* piecesOf(opened);
    } catch (cause) {
      throw new BackupError('The file is cut off or was altered', { cause });
    }
  };

function asRefusal(cause: unknown): BackupError {
  const said = cause instanceof Error ? cause.message : '';
  return /no identity matched|passphrase|incorrect/i.test(said)
    ? new BackupError('No key opens the file: it was encrypted to another recipient, or with another passphrase', {
        cause,
      })
    : new BackupError('The file is not an encrypted backup, or its beginning is cut off or was altered', { cause });
}

const webStream = (source: AsyncIterable<Buffer>): ReadableStream<Uint8Array> => ReadableStream.from(source);

async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  for await (const piece of stream) yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

/** A new pair: what a restore needs, and what a backup is made with. */
export async function newKeyPair(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}
