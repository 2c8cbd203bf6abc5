import { randomBytes, randomUUIDv7 } from 'node:crypto';

/** Ids that a client may choose (domain.md T17). */
export const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** A time-ordered id, e.g. `task-0198c5f2-...`; ordered ids keep the primary keys' inserts together. */
export const newId = (prefix: string): string => `${prefix}-${randomUUIDv7()}`;

/**
 * Of a notification, for `newId`. What it said is kept in partitions along these ids; those of before are `notification-`
 * and a UUID that is not always ordered by time, and come before them.
 */
export const NOTIFICATION = 'notification-t';

/** Names this process in claims and logs. */
export const newProcessId = (role: string): string => `${role}-${process.pid}-${randomBytes(4).toString('hex')}`;

/** Constant on every attempt, generation and deploy (guarantees.md 1.1). */
export const effectKey = (sagaId: string, stepNo: number, direction: 'F' | 'C'): string =>
  `${sagaId}-${stepNo}-${direction}`;

/** 256 random bits, for an address or a token that nobody can guess. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** Random bytes for a cipher, never used twice with one key. */
export const newNonce = (bytes: number): Buffer => randomBytes(bytes);
