/**
 * Reason codes of System Alerts that are no errors of a saga's step. `docs/runbook.md` has a heading for each, which
 * `test/architecture/runbook.test.ts` checks.
 */
export const ALERT_CODES = [
  // Engine and workers.
  'STUCK',
  'SWEEP_FAILS',
  'ROW_FAILED',
  'CIRCUIT_OPEN',
  // Money.
  'OVERPAID',
  'MANUAL_REQUIRED',
  'REFUND_FAILED',
  'OWNER_PAYOUT_FAILED',
  'OWNER_OWES',
  'CAPTURED_NOT_BOOKABLE',
  'REFUND_IN_OTHER_CURRENCY',
  'REFUNDED_MORE_THAN_CAPTURED',
  'DISPUTE_OPENED',
  'DISPUTE_IN_OTHER_CURRENCY',
  'DISPUTE_DECIDED_ANEW',
  'MONEY_DIFFERS',
  'MISSING_IN_LEDGER',
  'CURRENCY_MISMATCH',
  'STATUS_MISMATCH',
  'AMOUNT_MISMATCH',
  'MISSING_AT_GATEWAY',
  'FEE_MISMATCH',
  'DATE_MISMATCH',
  // Tasks and recurring work.
  'NO_STAFF_AVAILABLE',
  'TASK_UNASSIGNED_24H',
  'TASK_UNASSIGNED_4H',
  'TASK_DECLINED',
  'TASK_NOT_ANSWERED',
  'NOBODY_ANSWERED',
  'TASK_DISPLACED',
  'NO_FREE_DAY',
  // Webhook endpoints.
  'WEBHOOK_DISABLED_GONE',
  'WEBHOOK_DISABLED_EVENT_NOT_TAKEN',
] as const;
export type AlertCode = (typeof ALERT_CODES)[number];

/** Whether an alert has this reason by our catalogue, and not by that of errors or of another system. */
export const isAlertCode = (code: string | null): code is AlertCode => ALERT_CODES.some((one) => one === code);
