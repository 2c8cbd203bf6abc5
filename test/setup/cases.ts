const IS_LONG = process.env['ROOMY_LONG'] === '1';

/**
 * How many cases a test runs that gains by volume alone: a tenth of `full` in every run, and all of them in
 * `npm run test:long`, which runs each file that imports this.
 */
export const cases = (full: number): number => (IS_LONG ? full : Math.ceil(full / 10));
