/** The bugs of guarantees.md 3.6 that this product could have, each as small exact patches and the tests that must see it. */
export interface Patch {
  readonly file: string;
  /** Must occur exactly once. */
  readonly find: string;
  readonly replace: string;
}
export interface SeededBug {
  readonly id: string;
  readonly what: string;
  readonly patches: readonly Patch[];
  /** Arguments for vitest. */
  readonly suite: readonly string[];
}

export const BUGS: readonly SeededBug[] = [
  {
    id: 'B1',
    what: 'the fence is dropped: any attempt may record its result',
    patches: [
      {
        file: 'src/sagas/orchestrator/call.ts',
        find: "return claim?.status === 'running' && claim.attempt === attempt;",
        replace: "return claim?.status === 'running' && attempt > 0;",
      },
    ],
    suite: ['test/faults/errand.test.ts'],
  },
  {
    id: 'B2',
    what: 'no outbox: what is not published right after the commit is never published, and nobody reconciles',
    patches: [
      {
        file: 'src/queues/relay.ts',
        find: 'const carried = await drain(parts, add);',
        replace: 'const carried = add.length * 0;',
      },
      {
        file: 'src/queues/reconciler.ts',
        find: 'await inLanes(idle, (saga) => reconcile(parts, saga));',
        replace: 'void idle;',
      },
    ],
    suite: ['test/integration/recovery.test.ts', '-t', 'the relay'],
  },
  {
    id: 'B5',
    what: "a step's effect and its record are two transactions",
    patches: [
      {
        file: 'src/sagas/orchestrator/local.ts',
        find: 'const output = (await work(tx)) ?? {};',
        replace: 'const output = (await db.transaction().execute((other) => work(other))) ?? {};',
      },
    ],
    suite: ['test/faults/errand.test.ts'],
  },
  {
    id: 'B8',
    what: 'the relay reads by id > last',
    patches: [
      {
        file: 'src/queues/relay.ts',
        find: "AND (${withOrders}::boolean OR kind = 'ALERT')",
        replace:
          "AND (${withOrders}::boolean OR kind = 'ALERT') AND id > (SELECT coalesce(max(id), 0) FROM outbox WHERE published_at IS NOT NULL)",
      },
    ],
    suite: ['test/integration/recovery.test.ts', '-t', 'the relay'],
  },
  {
    id: 'B9',
    what: 'the reconciler is off',
    patches: [
      {
        file: 'src/queues/reconciler.ts',
        find: 'await inLanes(idle, (saga) => reconcile(parts, saga));',
        replace: 'void idle;',
      },
    ],
    suite: ['test/integration/recovery.test.ts', '-t', 'the reconciler'],
  },
  {
    id: 'B10',
    what: 'job ids carry no generation',
    patches: [
      {
        file: 'src/queues/jobs.ts',
        find: '`${sagaId}.g${generation}.${direction.toLowerCase()}.${step}`',
        replace: '`${sagaId}.g${generation * 0}.${direction.toLowerCase()}.${step}`',
      },
      {
        file: 'src/queues/jobs.ts',
        find: '`${sagaId}.g${generation}.settle`',
        replace: '`${sagaId}.g${generation * 0}.settle`',
      },
    ],
    suite: ['test/integration/recovery.test.ts', '-t', 'the reconciler'],
  },
  {
    id: 'B12',
    what: 'compensations run in forward order',
    patches: [
      {
        file: 'src/sagas/orchestrator/fail.ts',
        find: ".orderBy('step_no', 'desc')",
        replace: ".orderBy('step_no', 'asc')",
      },
    ],
    suite: ['test/faults/errand.test.ts'],
  },
  {
    id: 'B13',
    what: 'the exclusion constraint against double booking is dropped',
    patches: [
      {
        file: 'migrations/0001_foundation.ts',
        find: "CONSTRAINT no_double_booking EXCLUDE USING gist (property_id WITH =, stay WITH &&)\n    WHERE (status IN ('CONFIRMED','CHECKED_IN'))",
        replace: 'CONSTRAINT no_double_booking CHECK (total_minor >= 0)',
      },
    ],
    suite: ['test/integration/confirm-reservation.test.ts', '-t', 'two reservations of one property'],
  },
  {
    id: 'B14',
    what: 'a job that BullMQ calls failed is taken for a step that failed',
    patches: [
      {
        file: 'src/workers/steps.ts',
        find: "worker.on('failed', (job, error) => {",
        replace: `worker.on('failed', (job, error) => {
    void db.updateTable('saga').set({ status: 'parked', error_code: 'STEP_FAILED', error_detail: '{}' })
      .where('id', '=', String(job?.data.sagaId)).where('status', 'in', ['pending', 'running']).execute();`,
      },
    ],
    suite: ['test/integration/recovery.test.ts', '-t', 'a job'],
  },
];
