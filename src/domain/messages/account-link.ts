import type { TextSeal } from '../../kernel/text-seal.ts';
import type { Facts } from './delivery-facts.ts';

/** A mail with a link for an account: its secret lies sealed in the row, and is opened when the mail is made. */
export function withOpenedLink(facts: Facts | undefined, secrets: TextSeal): Facts | undefined {
  const accountId = facts?.params['accountId'];
  if (!facts || facts.linkSecret === null || typeof accountId !== 'string') return facts;
  return { ...facts, linkSecret: secrets.open(accountId, facts.linkSecret) };
}
