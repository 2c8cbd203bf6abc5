import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { newNonce } from '../kernel/ids.ts';

const ROUNDS = 4_096;

/** What Postgres keeps of a password (RFC 5803, SCRAM-SHA-256): so the password itself stands in no statement, and in no log of it. */
export function scramVerifier(password: string, salt = newNonce(16)): string {
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, ROUNDS, 32, 'sha256');
  const keyOf = (name: string): Buffer => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ROUNDS}:${salt.toString('base64')}$${stored}:${keyOf('Server Key').toString('base64')}`;
}
