import { createHash } from 'node:crypto';
import type { Intent } from './replies.ts';

/**
 * The claim on a PaymentIntent that somebody else has made. Before anything is captured on it, and before money that is on
 * it already counts as ours, the charge's key is written into its metadata; an undo writes that the key is undone.
 * Stripe orders the writes of one PaymentIntent, and each is answered with all of the metadata: so either the charge
 * sees that it is undone and stops, or the undo sees the claim and takes the money back. An undo does not touch one that nobody
 * has claimed: it may be another guest's payment, named by mistake.
 */
const undoneKey = (key: string): string => `undone_${createHash('sha256').update(key).digest('hex').slice(0, 24)}`;

export const claimOf = (key: string, reservationId: string): Readonly<Record<string, string>> => ({
  key,
  reservationId,
});
export const undoneMark = (key: string): Readonly<Record<string, string>> => ({ [undoneKey(key)]: '1' });

export const isUndone = ({ metadata }: Intent, key: string): boolean => metadata[undoneKey(key)] !== undefined;
export const isClaimedBy = ({ metadata }: Intent, key: string): boolean => metadata['key'] === key;
/** Claimed by a charge that stands. */
export const isAnothers = (intent: Intent, key: string): boolean => {
  const holder = intent.metadata['key'];
  return holder !== undefined && holder !== key && !isUndone(intent, holder);
};
