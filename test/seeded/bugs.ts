/** guarantees.md 3.6: bugs that the suite must find. Each edit replaces a text that stands exactly once in its file. */
export interface SeededBug {
  readonly id: string;
  readonly what: string;
  readonly edits: readonly Edit[];
  /** Files of tests, and what the names of the tests begin with or hold. */
  readonly files: readonly string[];
  readonly tests: string;
  /** How at least one of them must fail: red for another reason would prove nothing. */
  readonly symptom: RegExp;
}
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** The fault matrix of all sagas. */
const EVERY_SAGA = ['test/faults/every-saga-1.test.ts', 'test/faults/every-saga-2.test.ts'];
const RIVALS = 'test/faults/rivals.test.ts';
const ERRAND = 'test/faults/errand.test.ts';
const RECOVERY = 'test/integration/orchestrator-recovery.test.ts';

export const BUGS: readonly SeededBug[] = [
  {
    id: 'B1',
    what: 'a result is recorded although another attempt holds the claim',
    edits: [
      {
        file: 'src/engine/runners/call.ts',
        find: `return claim?.status === 'running' && claim.attempt === attempt;`,
        put: `return claim?.status === 'running' && attempt > 0;`,
      },
    ],
    files: [ERRAND],
    tests: 'a lost worker answers while another one is at work on 4 bookCar',
    symptom: /'skipped'/,
  },
  {
    id: 'B2',
    what: 'no outbox: jobs are only added after the commit',
    edits: [{ file: 'src/queues/relay.ts', find: 'loop = run();', put: 'void run;' }],
    files: [RECOVERY],
    tests: 'leaves nothing undone when its process dies before-publish',
    symptom: /saga is still open/,
  },
  {
    id: 'B3',
    what: 'another gateway key on every attempt',
    edits: [
      {
        file: 'src/engine/runners/call.ts',
        find: `  const context = contextOf(due);
  const limit`,
        put: `  const context = { ...contextOf(due), key: String(Math.random()) };
  const limit`,
      },
    ],
    files: EVERY_SAGA,
    tests: 'when the provider has acted for 2 createGuestPaymentTransaction',
    symptom: /'compensated' to be 'completed'/,
  },
  {
    id: 'B4',
    what: 'a charge that may have been made is not settled before it is undone',
    edits: [
      {
        file: 'src/sagas/process-payment/v1.ts',
        find: `        inDoubt
          ? ports`,
        put: `        inDoubt && key === ''
          ? ports`,
      },
    ],
    files: EVERY_SAGA,
    tests: '2 createGuestPaymentTransaction fails at every attempt after it acted',
    symptom: /expected 100000 to be \+?0/,
  },
  {
    id: 'B5',
    what: 'effect and step record in two transactions',
    edits: [
      {
        file: 'src/engine/runners/tx.ts',
        find: `  return retryContention(() =>
    db.transaction().execute(async (tx) => {
      if (!(await passGuard(tx, due))) return null;
      const output = (await work(tx)) ?? {};
      return recordDone(tx, due, output);
    }),
  );`,
        put: `  return retryContention(async () => {
    const output = (await db.transaction().execute((tx) => work(tx))) ?? {};
    return db.transaction().execute(async (tx) => {
      if (!(await passGuard(tx, due))) return null;
      return recordDone(tx, due, output);
    });
  });`,
      },
    ],
    files: [ERRAND],
    tests: '3 noteVisit fails at every attempt after it acted',
    symptom: /to deeply equal \[\]/,
  },
  {
    id: 'B7',
    what: 'a share that is one minor unit too large, and no trigger that looks at the sums',
    edits: [
      { file: 'src/kernel/money.ts', find: 'entry.part += 1n;', put: 'entry.part += 2n;' },
      {
        file: 'migrations/0002_money.sql',
        find: `CREATE CONSTRAINT TRIGGER ledger_entry_balanced AFTER INSERT ON ledger_entry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_entry_ck();`,
        put: '',
      },
    ],
    files: ['test/integration/random-books.test.ts'],
    tests: 'the books agree',
    // Which of the two comes first depends on the books that were drawn.
    symptom: /"check":"(?:guest-credit|payment-fee)"/,
  },
  {
    id: 'B8',
    what: 'the relay reads what is beyond the last id it published',
    edits: [
      {
        file: 'src/engine/store/outbox.ts',
        find: 'x.published_at IS NULL AND x.available_at <= now()',
        put: 'x.id > (SELECT coalesce(max(id), 0) FROM outbox WHERE published_at IS NOT NULL) AND x.available_at <= now()',
      },
    ],
    files: [RECOVERY],
    tests: 'carries orders whose transactions committed out of order',
    symptom: /outbox of .* is drained/,
  },
  {
    id: 'B9',
    what: 'no reconciler',
    edits: [
      {
        file: 'src/queues/reconciler.ts',
        find: 'if (await reconcile(parts, saga)) dispatched.push(saga.id);',
        put: 'void [saga, reconcile];',
      },
    ],
    files: [RECOVERY],
    tests: 'dispatches anew what was lost with Redis',
    symptom: /saga is still open/,
  },
  {
    id: 'B10',
    what: 'job ids without the generation',
    edits: [
      {
        file: 'src/queues/jobs.ts',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of the source.
        find: '`${sagaId}.g${generation}.${direction.toLowerCase()}.${step}`',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of the source.
        put: '`${sagaId}.g${generation > 0 ? 0 : 1}.${direction.toLowerCase()}.${step}`',
      },
      {
        file: 'src/queues/jobs.ts',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of the source.
        find: '`${sagaId}.g${generation}.settle`',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of the source.
        put: '`${sagaId}.g${generation > 0 ? 0 : 1}.settle`',
      },
    ],
    files: [...EVERY_SAGA, RECOVERY],
    tests: 'takes a chain of waiting jobs for lost|undoing 4 createCheckInTask gives up',
    symptom: /saga is still open/,
  },
  {
    id: 'B12',
    what: 'compensations run in the order of the steps',
    edits: [
      {
        file: 'src/engine/store/steps.ts',
        find: `.orderBy('step_no', 'desc')
    .execute();
  return acted`,
        put: `.orderBy('step_no', 'asc')
    .execute();
  return acted`,
      },
      {
        file: 'src/engine/store/fused.ts',
        find: 'SELECT max(c.step_no) AS no',
        put: 'SELECT min(c.step_no) AS no',
      },
      {
        file: 'src/engine/store/fused.ts',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of the source.
        find: 'AND c.step_no < ${step.no}::int AND c.status',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of the source.
        put: 'AND c.step_no > ${step.no}::int AND c.status',
      },
      {
        file: 'src/engine/store/turn.ts',
        find: 'SELECT max(f.step_no) AS highest',
        put: 'SELECT min(f.step_no) AS highest',
      },
      { file: 'src/engine/store/turn.ts', find: 'ORDER BY u.step_no DESC', put: 'ORDER BY u.step_no ASC' },
    ],
    files: EVERY_SAGA,
    tests: '8 sendConfirmationNotification fails at every attempt',
    symptom: /\[ 2, 3, 4, 5, 6, 7 \]/,
  },
  {
    id: 'B13',
    what: 'no constraint against double bookings',
    edits: [
      {
        file: 'migrations/0004_stays.sql',
        find: `coalesce(departure_date, check_out_date), '[)')) STORED,
  ADD CONSTRAINT no_double_booking EXCLUDE USING gist (property_id WITH =, stay WITH &&) WHERE (status IN ('CONFIRMED','CHECKED_IN'))`,
        put: `coalesce(departure_date, check_out_date), '[)')) STORED,
  ADD CONSTRAINT no_double_booking CHECK (true)`,
      },
    ],
    files: [RIVALS],
    tests: 'are confirmed for one of them',
    symptom: /'completed', 'completed'/,
  },
  {
    id: 'B14',
    what: 'a flow whose job failed in Redis is taken for a step that failed',
    edits: [
      {
        file: 'src/engine/store/sagas.ts',
        find: '.set({ next_check_at: sql`now()` })',
        put: ".set({ status: 'parked', error_code: 'STEP_FAILED', error_detail: '{}' })",
      },
    ],
    files: [RECOVERY],
    tests: 'may give up on a job',
    symptom: /'parked' to be 'completed'/,
  },
];
