import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Database } from '../../src/db/schema.ts';

/**
 * The home of each table: the one file, or the one folder `store/`, whose statements write it. `TRIGGERS`: triggers of the
 * database write it alone, and no statement of ours.
 */
const HOMES: Readonly<Record<keyof Database, string>> = {
  account: 'domain/people/accounts.ts',
  account_principal: 'TRIGGERS',
  session: 'domain/people/sessions.ts',
  one_time: 'domain/people/one-time.ts',
  api_key: 'domain/people/api-keys.ts',
  owner: 'domain/people/owners.ts',
  guest: 'domain/people/guests.ts',
  guest_place: 'TRIGGERS',
  guest_word: 'TRIGGERS',
  name_word: 'TRIGGERS',
  staff: 'domain/people/staff.ts',
  identity: 'domain/people/identities.ts',
  passkey: 'domain/people/passkeys.ts',
  property: 'domain/properties/store.ts',
  income_distribution: 'domain/finance/terms.ts',
  approval_limit: 'domain/approvals/limits.ts',
  approval: 'domain/approvals/store.ts',
  rating: 'domain/reservations/rating.ts',
  incident: 'domain/incidents/store.ts',
  incident_notice: 'domain/incidents/notices.ts',
  process: 'domain/incidents/processes.ts',
  watch: 'domain/incidents/watch.ts',
  reservation: 'domain/reservations/store.ts',
  reminder_mark: 'domain/messages/reminders.ts',
  task: 'domain/tasks/store/',
  transaction: 'domain/finance/store/',
  notification: 'domain/notifications/store/',
  dev_mail: 'domain/messages/delivery-mailbox.ts',
  mail_frame: 'domain/messages/delivery-mailbox.ts',
  saga: 'engine/store/',
  saga_step: 'engine/store/',
  step_attempt: 'engine/store/',
  saga_signal: 'engine/store/',
  saga_amendment: 'engine/store/',
  redrive: 'engine/store/',
  redrive_saga: 'engine/store/',
  hold: 'engine/store/',
  outbox: 'engine/store/',
  archived_outbox: 'engine/store/',
  idempotency_key: 'domain/idempotency/store.ts',
  audit_log: 'domain/audit/record.ts',
  data_key: 'db/data-keys.ts',
  audit_seal: 'domain/audit/seals/rows.ts',
  payment: 'domain/finance/store/',
  ledger_account: 'domain/finance/ledger.ts',
  ledger_tx: 'domain/finance/ledger.ts',
  ledger_entry: 'domain/finance/ledger.ts',
  ledger_total: 'domain/finance/totals.ts',
  ledger_property_total: 'domain/finance/totals.ts',
  ledger_owner_line: 'TRIGGERS',
  ledger_part: 'domain/finance/totals.ts',
  gateway_event: 'domain/finance/gateway-events.ts',
  reconciliation: 'domain/finance/reconciliation.ts',
  reconciliation_line: 'domain/finance/reconciliation.ts',
  difference: 'domain/finance/store/differences.ts',
  settlement: 'domain/finance/settlement.ts',
  amenity_grant: 'domain/properties/amenities.ts',
  check_out_report: 'domain/stays/report.ts',
  task_photo: 'domain/tasks/photos.ts',
  repair_approval: 'domain/tasks/approvals.ts',
  task_action: 'domain/stays/follow-up-actions.ts',
  calendar_feed: 'domain/tasks/calendar-feed.ts',
  assignment_rule: 'domain/assignment/rules.ts',
  staff_leave: 'domain/assignment/leave.ts',
  staff_hold: 'domain/assignment/holds.ts',
  task_refusal: 'domain/assignment/offers.ts',
  task_offer: 'domain/assignment/offer-link.ts',
  recurrence: 'domain/tasks/recurrence-store.ts',
  recurrence_period: 'domain/tasks/recurring.ts',
  message_rule: 'domain/messages/rules.ts',
  message_setting: 'domain/messages/preferences.ts',
  message_opt_out: 'domain/messages/preferences.ts',
  domain_event: 'domain/events/feed.ts',
  event_feed: 'domain/events/feed.ts',
  event_run: 'domain/events/feed.ts',
  stream_ticket: 'domain/events/stream-tickets.ts',
  webhook_endpoint: 'domain/webhooks/store.ts',
  webhook_attempt: 'domain/webhooks/store.ts',
  message_template: 'domain/messages/template-versions.ts',
  notification_content: 'domain/notifications/store/',
  notification_due: 'TRIGGERS',
  sweep_failure: 'domain/sweeps/failures.ts',
  integrity_mark: 'domain/finance/integrity-now.ts',
  integrity_pass: 'domain/finance/integrity-now.ts',
};

/** The demo loads rows in bulk before anything runs. It may insert, and nothing else. */
const LOADS_ROWS = 'demo/';

const root = path.join(import.meta.dirname, '../../src');
const sources = new Map(
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => [file.split(path.sep).join('/'), readFileSync(path.join(root, file), 'utf8')]),
);

/** The tables that a file writes, each with the kinds of its statements. Comments do not count. */
function writesOf(text: string): readonly { readonly table: string; readonly verb: 'insert' | 'other' }[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
  const statements = [
    ...code.matchAll(/\b(insertInto|updateTable|deleteFrom|mergeInto|replaceInto)\(\s*'(\w+)/g),
    ...code.matchAll(/\b(INSERT\s+INTO|UPDATE(?:\s+ONLY)?|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE|COPY)\s+"?(\w+)"?/g),
  ];
  return statements.map(([, verb = '', table = '']) => ({ table, verb: /^insert/i.test(verb) ? 'insert' : 'other' }));
}

const isHome = (table: keyof Database, file: string): boolean =>
  HOMES[table].endsWith('/') ? file.startsWith(HOMES[table]) : file === HOMES[table];
const tables = Object.keys(HOMES) as readonly (keyof Database)[];
const writersOf = (table: keyof Database): readonly string[] =>
  [...sources]
    .filter(([file, text]) =>
      writesOf(text).some(
        (write) => write.table === table && !(file.startsWith(LOADS_ROWS) && write.verb === 'insert'),
      ),
    )
    .map(([file]) => file)
    .toSorted();

describe('a table', () => {
  it.each(tables)('%s is written in its home alone', (table) => {
    const elsewhere = writersOf(table).filter((file) => !isHome(table, file));
    expect(elsewhere).toEqual([]);
  });

  it('of the database has a home', () => {
    const schema = sources.get('db/schema.generated.ts') ?? '';
    const declared = /export interface DB \{([\s\S]*?)\n\}/.exec(schema)?.[1] ?? '';
    const names = [...declared.matchAll(/^\s*(\w+): /gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(40);
    expect(names.toSorted()).toEqual(tables.toSorted());
  });

  it('is found to be written, in whichever form a statement has', () => {
    const forms = [
      "tx\n.updateTable('task')",
      "db.insertInto('task as t')",
      'sql`UPDATE task SET x = 1`',
      'sql`WITH a AS (DELETE FROM task RETURNING id)`',
      'sql`INSERT INTO "task" (id)`',
      'sql`MERGE INTO task t`',
    ];
    expect(forms.map((form) => writesOf(form).map(({ table }) => table))).toEqual(forms.map(() => ['task']));
    expect(writesOf('// UPDATE task\n/** INSERT INTO task */ FOR UPDATE OF t')).not.toContainEqual(
      expect.objectContaining({ table: 'task' }),
    );
  });
});
