import { RoomyError } from '../kernel/errors.ts';

/** The versions that an `If-Match` header names; null when any will do. */
export type ExpectedVersions = readonly number[] | null;

/** For a row that the caller has locked. */
export function assertVersion(current: number, expected: ExpectedVersions): void {
  if (expected !== null && !expected.includes(current)) {
    throw new RoomyError('PRECONDITION_FAILED', { details: { currentVersion: current } });
  }
}
