import { isCardNumber } from './card-number.ts';
import { newId } from './ids.ts';

/** A caller's id that is safe in headers, logs and the audit trail. */
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The request's id as its caller, or the proxy before us, has chosen it; a new one where that is not well-formed. */
export const requestIdOf = (given: string | undefined): string =>
  given !== undefined && REQUEST_ID.test(given) && !isCardNumber(given) ? given : newId('request');
