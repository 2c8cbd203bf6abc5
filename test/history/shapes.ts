/** How a history is made of the copies of a few stays. */
export interface Shape {
  /** Only every n-th copy has rows in these tables. */
  readonly thinned: Readonly<Record<string, number>>;
  /** Most answers of sagas are kept short. */
  readonly shortAnswers: boolean;
  /** As many as there are, not as there are stays. */
  readonly spread: Readonly<Record<Spread, number>>;
  /** Which of so many a copy has: SQL over its number `n`. */
  readonly shareOf: (many: number) => string;
  /** How long ago the youngest stay is. */
  readonly youngestDays: number;
  /** Tables and indexes that are made at the same time. */
  readonly lanes: number;
}
const SPREAD = ['owner', 'staff', 'property'] as const;
export type Spread = (typeof SPREAD)[number];
export const isSpread = (table: string): table is Spread => SPREAD.some((one) => one === table);

const OF_THE_FIRST = 400;

/**
 * Of tests: made within a minute, so that tables of many rows a stay are thinned. The first owner, place and people have the
 * same few stays however long the history is, so that what costs by its rows is told from what costs by everybody's; half of
 * the rest is the second one's, the others share what is left.
 */
export const OF_TESTS: Shape = {
  thinned: {
    notification: 10,
    notification_content: 10,
    notification_due: 10,
    dev_mail: 50,
    check_out_report: 10,
    saga_step: 10,
    step_attempt: 10,
    outbox: 10,
    audit_log: 10,
    domain_event: 10,
    event_run: 10,
    webhook_attempt: 10,
    reconciliation: 10,
    reconciliation_line: 10,
    difference: 10,
  },
  shortAnswers: true,
  spread: { owner: 40, staff: 40, property: 40 },
  shareOf: (many) =>
    `CASE WHEN n < ${OF_THE_FIRST} THEN n % ${many} WHEN n % 2 = 0 THEN 1 ELSE 2 + n % ${many - 2} END`,
  youngestDays: 60,
  lanes: 1,
};

/**
 * As an agency with a hundred places has it: every row of every stay, 16 stays a day until last week, evenly shared. A comparison
 * with a gateway is of a night, so that one of the eight copies of a day has it.
 */
export const WHOLE: Shape = {
  thinned: { reconciliation: 8, reconciliation_line: 8, difference: 8 },
  shortAnswers: false,
  spread: { owner: 50, staff: 50, property: 100 },
  shareOf: (many) => `n % ${many}`,
  youngestDays: 4,
  lanes: 2,
};
