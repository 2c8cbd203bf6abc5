import type { Db } from '../../db/client.ts';
import { keysOfSubjects } from '../../db/data-keys.ts';
import { subjectOf } from '../../db/sealed-fields.ts';
import { byHalves } from '../sweeps/isolate.ts';
import type { ClaimedNotification, Verdict } from './delivery-rows.ts';

/** A message that could not be kept as it was said waits for a person, with the reason in `sweep_failure`. */
export const NOT_SEALABLE: Verdict = { status: 'BLOCKED', reason: 'SEAL_FAILED' };

/**
 * Takes out of the batches, by messenger, what goes to somebody whose key cannot be had, and answers it: in one look for all keys that
 * are not known. After it was sent, it would be too late to find that out.
 */
export async function takeUnsealable<Entry extends { readonly row: ClaimedNotification }>(
  db: Db,
  outgoing: Map<unknown, Entry[]>,
): Promise<readonly { readonly row: ClaimedNotification; readonly error: unknown }[]> {
  const rows = [...outgoing.values()].flatMap((batch) => batch.map(({ row }) => row));
  const failures = await byHalves(rows, async (some) => {
    await keysOfSubjects(
      db,
      some.map(({ recipientType, recipientId }) => subjectOf(recipientType, recipientId)),
    );
  });
  const lacking = new Set(failures.map(({ item }) => item));
  for (const [messenger, batch] of outgoing) {
    outgoing.set(
      messenger,
      batch.filter(({ row }) => !lacking.has(row)),
    );
  }
  return failures.map(({ item, error }) => ({ row: item, error }));
}
