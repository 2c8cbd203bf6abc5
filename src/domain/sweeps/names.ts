/**
 * Everything that works on many rows by the clock, and whose rows they are. `workers/jobs.ts` says which job or loop does
 * it; a test poisons one row of twenty in each of them.
 */
export const SWEEPS = {
  messages: 'notification',
  reminders: 'reservation',
  assignment: 'task',
  offers: 'task',
  turnovers: 'task',
  access: 'stay',
  holds: 'staff hold',
  emergencies: 'task',
  recurrences: 'recurrence',
  payouts: 'owner and currency',
  approvals: 'approval',
  refunds: 'refund',
  'gateway-events': 'gateway and payment or event',
  reconciliations: 'gateway and night',
  debts: 'owner and currency',
  totals: 'posted sum',
  events: 'event',
  'event-retention': 'event',
  webhooks: 'webhook endpoint',
  'idempotency-keys': 'idempotency key',
  failures: 'row that was set aside',
  integrity: 'change of money',
  orders: 'outbox order',
  sagas: 'saga',
} as const;
export type SweepName = keyof typeof SWEEPS;
export const SWEEP_NAMES = [
  'messages',
  'reminders',
  'assignment',
  'offers',
  'turnovers',
  'access',
  'holds',
  'emergencies',
  'recurrences',
  'payouts',
  'approvals',
  'refunds',
  'gateway-events',
  'reconciliations',
  'debts',
  'totals',
  'events',
  'event-retention',
  'webhooks',
  'idempotency-keys',
  'failures',
  'integrity',
  'orders',
  'sagas',
] as const satisfies readonly SweepName[];

const KNOWN: ReadonlySet<string> = new Set(SWEEP_NAMES);

/** Whether a text names a sweep. */
export const isSweepName = (name: string): name is SweepName => KNOWN.has(name);
