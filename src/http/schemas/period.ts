import { InstantOrDate, TimeZone } from './common.ts';

/** The ends of a period, for every list and report that has them; `http/period.ts` says what they come to. */

const RULE = 'an instant, or a date: the whole day on the clock of the property that is named, else of `zone`';

const zone = TimeZone.optional().openapi({
  description: 'On whose clock bare dates are days where no property is named; default: the agency’s',
});
/** `what`: what has to lie in the period, such as `Accepted`. */
export const periodFields = (what: string) => ({
  from: InstantOrDate.optional().openapi({ description: `${what} at or after this: ${RULE}` }),
  to: InstantOrDate.optional().openapi({ description: `${what} before this instant, or by the end of this date` }),
  zone,
});
export const asOfField = InstantOrDate.optional().openapi({
  description: 'As it stood at this instant, or at the end of this date; instead of `from` and `to`',
});
/** For what is made with a period of its own. */
export const requiredPeriod = {
  from: InstantOrDate.openapi({ description: `Begins with ${RULE}` }),
  to: InstantOrDate.openapi({ description: 'Ends before this instant, or with the end of this date' }),
  zone,
};
/** Where something begins and has no end. */
export const sinceFields = {
  since: InstantOrDate.optional().openapi({ description: RULE }),
  zone,
};
