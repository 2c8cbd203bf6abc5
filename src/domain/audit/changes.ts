import type { Selectable } from 'kysely';
import type { Database, Json } from '../../db/schema.ts';
import { canonicalJson } from '../../kernel/json.ts';

/**
 * What a change has changed, as the trail keeps it for ever (docs/security.md K11): the values of columns that say how the business
 * is run, and of others only that there is one. A row of the trail cannot be erased, so nothing that somebody is, or wrote, is in it.
 */

/** `shown`: with its value. `hidden`: a person's, a secret, or free text; it is `***`. `left`: it follows from others, or counts. */
type Treatment = 'shown' | 'hidden' | 'left';
type Treatments<Table extends keyof Database> = Readonly<Record<keyof Selectable<Database[Table]> & string, Treatment>>;

/** Of every column: one that is added does not compile before somebody has decided about it. */
const COLUMNS = {
  account: {
    created_at: 'left',
    email: 'hidden',
    guest_id: 'shown',
    id: 'left',
    invited_by: 'shown',
    locale: 'shown',
    name: 'hidden',
    owner_id: 'shown',
    principal: 'left',
    role: 'shown',
    staff_id: 'shown',
    status: 'shown',
    totp_secret: 'hidden',
    totp_step: 'left',
    version: 'left',
    wrong_code_at: 'left',
    wrong_codes: 'left',
  },
  api_key: {
    created_at: 'left',
    created_by: 'left',
    expires_at: 'shown',
    id: 'left',
    key_hash: 'hidden',
    last_used_at: 'left',
    name: 'hidden',
    prefix: 'left',
    revoked_at: 'shown',
    rotated_by: 'left',
    scopes: 'shown',
    version: 'left',
  },
  approval_limit: {
    account_wait_hours: 'shown',
    charge_minor: 'shown',
    expires_hours: 'shown',
    over_estimate_percent: 'shown',
    override_minor: 'shown',
    roles: 'shown',
    set_at: 'left',
    set_by: 'left',
    version: 'left',
  },
  assignment_rule: {
    accept_quiet_from: 'shown',
    accept_quiet_to: 'shown',
    day_minutes: 'shown',
    emergency_accept_minutes: 'shown',
    fairness_hours: 'shown',
    fairness_percent: 'shown',
    hold_minutes: 'shown',
    max_km: 'shown',
    only_row: 'left',
    primary_percent: 'shown',
    proximity_percent: 'shown',
    speed_kmh: 'shown',
    workload_percent: 'shown',
  },
  guest: {
    created_at: 'left',
    created_by: 'left',
    email: 'hidden',
    id: 'left',
    locale: 'shown',
    name: 'hidden',
    phone: 'hidden',
    time_zone: 'shown',
    version: 'left',
  },
  income_distribution: {
    agency_bp: 'shown',
    agency_fee_refundable: 'shown',
    effective_from: 'shown',
    gateway_fee_bearer: 'shown',
    owner_bp: 'shown',
    payout_policy: 'shown',
    referrer_bp: 'shown',
    refund_base: 'shown',
    refund_tiers: 'shown',
    set_at: 'left',
    set_by: 'left',
    unassigned_referral: 'shown',
    version: 'left',
  },
  message_rule: {
    digest_time: 'shown',
    last_call: 'shown',
    only_row: 'left',
    quiet_channels: 'shown',
    quiet_from: 'shown',
    quiet_to: 'shown',
    review_delay_hours: 'shown',
    review_despite_incident: 'shown',
  },
  owner: {
    created_at: 'left',
    email: 'hidden',
    email_before: 'left',
    email_changed_at: 'left',
    id: 'left',
    locale: 'shown',
    name: 'hidden',
    payout_account: 'hidden',
    payout_account_before: 'left',
    payout_account_from: 'shown',
    payout_terms: 'shown',
    phone: 'hidden',
    version: 'left',
  },
  property: {
    accept_minutes: 'shown',
    address: 'hidden',
    agent_ids: 'shown',
    amenity_device: 'hidden',
    amenity_status: 'shown',
    auto_check_in: 'shown',
    auto_check_out: 'shown',
    check_in_reminder_time: 'shown',
    check_in_time: 'shown',
    check_out_reminder_time: 'shown',
    check_out_time: 'shown',
    checklists: 'hidden',
    cleaning_minutes: 'shown',
    created_at: 'left',
    id: 'left',
    inspection_required: 'shown',
    location: 'hidden',
    name: 'hidden',
    owner_id: 'shown',
    payment_due_days: 'shown',
    primary_staff_ids: 'shown',
    readiness: 'shown',
    region: 'shown',
    repair_limit_currency: 'shown',
    repair_limit_minor: 'shown',
    require_translation: 'shown',
    shares_device: 'left',
    strict_checks: 'shown',
    time_zone: 'shown',
    version: 'left',
  },
  recurrence: {
    active: 'shown',
    anchor_date: 'shown',
    checklist: 'hidden',
    created_at: 'left',
    created_by: 'left',
    description: 'hidden',
    duration_minutes: 'shown',
    every: 'shown',
    id: 'left',
    local_time: 'shown',
    next_look_at: 'left',
    next_period: 'left',
    property_id: 'shown',
    title: 'hidden',
    type: 'shown',
    version: 'left',
  },
  reservation: {
    actual_check_in_at: 'shown',
    actual_check_out_at: 'shown',
    cancel_reason: 'hidden',
    cancelled_at: 'shown',
    check_in_date: 'shown',
    check_out_date: 'shown',
    confirmed_at: 'shown',
    created_at: 'left',
    created_by: 'left',
    currency: 'shown',
    departure_date: 'left',
    distribution_version: 'shown',
    guest_count: 'shown',
    guest_id: 'shown',
    id: 'left',
    kind: 'shown',
    notes: 'hidden',
    payment_status: 'shown',
    planned_arrival: 'shown',
    planned_departure: 'shown',
    property_id: 'shown',
    referring_agent_id: 'shown',
    reminded_version: 'left',
    status: 'shown',
    stay: 'left',
    total_minor: 'shown',
    version: 'left',
  },
  staff: {
    active: 'shown',
    bookings: 'left',
    created_at: 'left',
    digest: 'shown',
    email: 'hidden',
    home_location: 'hidden',
    id: 'left',
    last_job_at: 'left',
    max_minutes_per_day: 'shown',
    name: 'hidden',
    phone: 'hidden',
    property_ids: 'shown',
    region: 'shown',
    role: 'shown',
    shifts: 'shown',
    skills: 'shown',
    version: 'left',
  },
  staff_leave: {
    created_at: 'left',
    created_by: 'left',
    ends_at: 'hidden',
    id: 'left',
    reason: 'hidden',
    staff_id: 'left',
    starts_at: 'hidden',
  },
  task: {
    accept_by: 'shown',
    accepted_at: 'shown',
    alert_level: 'left',
    approval: 'shown',
    assign_attempts: 'left',
    assignee_id: 'shown',
    assignment_explanation: 'left',
    block_id: 'shown',
    checklist: 'hidden',
    completed_at: 'shown',
    completed_by: 'shown',
    completion: 'hidden',
    created_at: 'left',
    created_by_saga: 'left',
    deleted_at: 'shown',
    description: 'hidden',
    displaced_by: 'shown',
    effect_key: 'left',
    ends_at: 'shown',
    estimate_currency: 'shown',
    estimate_minor: 'shown',
    id: 'left',
    local_rule: 'left',
    manual_fields: 'left',
    merged_into_task_id: 'shown',
    must_finish_by: 'shown',
    next_assign_at: 'left',
    occurrence: 'shown',
    priority: 'shown',
    property_id: 'shown',
    required_skills: 'shown',
    reservation_id: 'left',
    scheduled_at: 'shown',
    slot_end: 'shown',
    slot_start: 'shown',
    started_at: 'shown',
    status: 'shown',
    title: 'hidden',
    type: 'shown',
    version: 'left',
  },
  webhook_endpoint: {
    attempt: 'left',
    created_at: 'left',
    created_by: 'left',
    description: 'hidden',
    disabled_reason: 'shown',
    fence: 'left',
    id: 'left',
    lease_until: 'left',
    next_attempt_at: 'left',
    next_seq: 'shown',
    previous_secret: 'left',
    previous_until: 'shown',
    secret: 'hidden',
    status: 'shown',
    types: 'shown',
    url: 'hidden',
    version: 'left',
  },
} as const satisfies { readonly [Table in keyof Database]?: Treatments<Table> };

export type AuditedTable = keyof typeof COLUMNS;
/** By the column's name in camel case. What is not there, was nothing: a change of `{}` to `{ "after": "AED" }` set it. */
export type Changes = Readonly<Record<string, { readonly before?: Json; readonly after?: Json }>>;

const HIDDEN = '***';

/** The columns that differ between two states of one row; `before` null: it is new, `after` null: it is gone. */
export function changesOf<Table extends AuditedTable>(
  table: Table,
  before: Partial<Selectable<Database[Table]>> | null,
  after: Partial<Selectable<Database[Table]>> | null,
): Changes {
  const treatments: readonly (readonly [string, Treatment])[] = Object.entries(COLUMNS[table]);
  const changed = treatments
    .filter(([, treatment]) => treatment !== 'left')
    .map(([column, treatment]) => {
      const values = [before, after].map((row) => jsonOf(row === null ? null : Reflect.get(row, column)));
      return [camelCase(column), changeOf(values, treatment === 'hidden')] as const;
    })
    .filter(([, change]) => change !== null);
  return Object.fromEntries(changed) as Changes;
}

/** Of settings that are no row, and nobody's secret. */
export function differences(before: Readonly<Record<string, Json>>, after: Readonly<Record<string, Json>>): Changes {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = names
    .map((name) => [name, changeOf([before[name] ?? null, after[name] ?? null], false)] as const)
    .filter(([, change]) => change !== null);
  return Object.fromEntries(changed) as Changes;
}

type Change = Changes[string];
function changeOf([before = null, after = null]: readonly Json[], isHidden: boolean): Change | null {
  if (canonicalJson(before) === canonicalJson(after)) return null;
  return {
    ...(before === null ? {} : { before: isHidden ? HIDDEN : before }),
    ...(after === null ? {} : { after: isHidden ? HIDDEN : after }),
  };
}

/** As JSON has it: an instant is text, and what there is not is null. */
function jsonOf(value: unknown): Json {
  if (value === undefined || value === null) return null;
  return Buffer.isBuffer(value) ? value.toString('hex') : (JSON.parse(JSON.stringify(value)) as Json);
}

const camelCase = (column: string): string => column.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
