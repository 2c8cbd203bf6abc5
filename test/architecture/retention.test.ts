import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Database } from '../../src/db/schema.ts';
import { DEFAULT_RETENTION, isKeptKind, type KeptKind, readKeptDays } from '../../src/kernel/retention.ts';

/** How long the rows of each table are kept. What is pruned, and when: test/integration/retention.test.ts. */

/** Why rows are not deleted by their age. */
const BOOKS = 'books' as const;
const TRAIL = 'trail' as const;
const RUNS = 'runs' as const;
const RECORDS = 'records' as const;
const RULES = 'rules' as const;
const DERIVED = 'derived' as const;
const BRIEF = 'brief' as const;
const REASONS: Readonly<Record<string, string>> = {
  [BOOKS]: 'money: the law asks for the books for years, and no row of them is ever changed',
  [TRAIL]: 'the audit trail and its seals: a chain without its beginning proves nothing',
  [RUNS]: 'what has run, for every answer under a key and every evidence',
  [RECORDS]: 'people, homes, stays and their work, as long as the agency has them',
  [RULES]: 'what people have set, with all its versions, as texts and amounts name them',
  [DERIVED]: 'made of other rows, and gone with them',
  [BRIEF]: 'a few rows, or gone as soon as they are used',
};

const KEPT: Readonly<Record<keyof Database, KeptKind | keyof typeof REASONS>> = {
  account: RECORDS,
  account_principal: DERIVED,
  amenity_grant: RECORDS,
  api_key: RECORDS,
  approval: RUNS,
  approval_limit: RULES,
  archived_outbox: RUNS,
  assignment_rule: RULES,
  audit_log: TRAIL,
  audit_seal: TRAIL,
  calendar_feed: RULES,
  check_out_report: RECORDS,
  data_key: RECORDS,
  dev_mail: 'mailbox',
  difference: BOOKS,
  domain_event: 'events',
  event_feed: BRIEF,
  event_run: 'events',
  gateway_event: BOOKS,
  guest: RECORDS,
  guest_place: DERIVED,
  guest_word: DERIVED,
  hold: RUNS,
  idempotency_key: 'keys',
  identity: RECORDS,
  incident: RUNS,
  incident_notice: 'notices',
  income_distribution: RULES,
  integrity_mark: BRIEF,
  integrity_pass: BOOKS,
  ledger_account: BOOKS,
  ledger_entry: BOOKS,
  ledger_owner_line: DERIVED,
  ledger_part: DERIVED,
  ledger_property_total: DERIVED,
  ledger_total: DERIVED,
  ledger_tx: BOOKS,
  mail_frame: BRIEF,
  message_opt_out: RULES,
  message_rule: RULES,
  message_setting: RULES,
  message_template: RULES,
  name_word: DERIVED,
  notification: RUNS,
  notification_content: 'messages',
  notification_due: DERIVED,
  one_time: 'links',
  outbox: BRIEF,
  owner: RECORDS,
  passkey: RECORDS,
  payment: BOOKS,
  process: BRIEF,
  property: RECORDS,
  rating: RECORDS,
  reconciliation: BOOKS,
  reconciliation_line: BOOKS,
  recurrence: RULES,
  recurrence_period: RECORDS,
  redrive: RUNS,
  redrive_saga: RUNS,
  reminder_mark: DERIVED,
  repair_approval: RECORDS,
  reservation: RECORDS,
  saga: RUNS,
  saga_amendment: RUNS,
  saga_signal: RUNS,
  saga_step: RUNS,
  session: 'sessions',
  settlement: BOOKS,
  staff: RECORDS,
  staff_hold: BRIEF,
  staff_leave: RECORDS,
  step_attempt: RUNS,
  stream_ticket: BRIEF,
  sweep_failure: 'failures',
  task: RECORDS,
  task_action: RECORDS,
  task_offer: RECORDS,
  task_photo: 'photos',
  task_refusal: RECORDS,
  transaction: BOOKS,
  watch: BRIEF,
  webhook_attempt: 'webhook-attempts',
  webhook_endpoint: RULES,
};

const SECTION = /### What is kept how long\n([\s\S]*?)\n##+ /.exec(
  readFileSync(path.join(import.meta.dirname, '../../docs/deploy.md'), 'utf8'),
)?.[1];

describe('K10: every table', () => {
  it('has rows that are deleted by their age, or a reason why they are kept', () => {
    const without = Object.entries(KEPT).filter(([, how]) => !isKeptKind(how) && REASONS[how] === undefined);
    expect(without).toEqual([]);
    for (const kind of Object.keys(DEFAULT_RETENTION)) expect(Object.values(KEPT)).toContain(kind);
  });
  it('stands in docs/deploy.md with that', () => {
    const lines = (SECTION ?? '').split('\n').filter((line) => line.startsWith('| '));
    for (const [table, how] of Object.entries(KEPT)) {
      const [line = '', ...more] = lines.filter((one) => one.includes(`\`${table}\``));
      expect({ table, more: more.length }).toEqual({ table, more: 0 });
      expect(line, table).toContain(isKeptKind(how) ? `\`${how}\`` : REASONS[how]);
    }
    for (const [kind, days] of Object.entries(DEFAULT_RETENTION))
      expect(lines.find((line) => line.includes(`\`${kind}\``))).toContain(`${days} days`);
  });
});

it('RETENTION_DAYS changes what it names', () => {
  expect(readKeptDays('photos=30, mailbox=7')).toEqual({ ...DEFAULT_RETENTION, photos: 30, mailbox: 7 });
  for (const wrong of ['', 'photos', 'photos=0', 'photos=-1', 'ledger=1', 'keys=1', 'photos=1,'])
    expect(readKeptDays(wrong)).toBeNull();
});
