/**
 * Lies ahead, whatever the day is on which the tests run. For what differs between the past and the future: a date that
 * is written out would turn such a test red when it has come.
 */
export const NEXT_YEAR = new Date().getUTCFullYear() + 1;
