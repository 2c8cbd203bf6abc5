import { isCardNumber } from './card-number.ts';
import { newId } from './ids.ts';

/** A caller's id that is safe in headers, logs and the audit trail. */
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const OWN = /^request-([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-/;

/**
 * The request's id as its caller, or the proxy before us, has chosen it; a new one where that is not well-formed, or looks as if we had
 * made it: two requests under one of our ids would be told as one.
 */
export const requestIdOf = (given: string | undefined): string =>
  given !== undefined && REQUEST_ID.test(given) && !OWN.test(given) && !isCardNumber(given) ? given : newId('request');

/** When the request of an id that we made came; null: somebody else chose it. */
export function instantOfRequest(id: string): Date | null {
  const [, high, low] = OWN.exec(id) ?? [];
  return high === undefined || low === undefined ? null : new Date(Number.parseInt(`${high}${low}`, 16));
}
