import type { ColumnType, Generated, GeneratedAlways } from 'kysely';

/**
 * The tables as Kysely sees them; `schema.test.ts` compares every column here with the migrated database.
 * Instants are `Date`, dates are `YYYY-MM-DD` text, bigint columns are numbers (all are bounded by 2^53-1).
 */
export interface Database {
  owner: OwnerTable;
  guest: GuestTable;
  guest_place: GuestPlaceTable;
  staff: StaffTable;
  property: PropertyTable;
  income_distribution: IncomeDistributionTable;
  reservation: ReservationTable;
  task: TaskTable;
  transaction: TransactionTable;
  notification: NotificationTable;
  dev_mail: DevMailTable;
  saga: SagaTable;
  saga_step: SagaStepTable;
  step_attempt: StepAttemptTable;
  outbox: OutboxTable;
  idempotency_key: IdempotencyKeyTable;
  audit_log: AuditLogTable;
  payment: PaymentTable;
  ledger_account: LedgerAccountTable;
  ledger_tx: LedgerTxTable;
  ledger_entry: LedgerEntryTable;
  ledger_total: LedgerTotalTable;
  ledger_part: LedgerPartTable;
  gateway_event: GatewayEventTable;
  reconciliation: ReconciliationTable;
  reconciliation_line: ReconciliationLineTable;
  difference: DifferenceTable;
  settlement: SettlementTable;
  amenity_grant: AmenityGrantTable;
  check_out_report: CheckOutReportTable;
  task_photo: TaskPhotoTable;
  repair_approval: RepairApprovalTable;
  task_action: TaskActionTable;
  calendar_feed: CalendarFeedTable;
  assignment_rule: AssignmentRuleTable;
  staff_leave: StaffLeaveTable;
  staff_hold: StaffHoldTable;
  task_refusal: TaskRefusalTable;
  task_offer: TaskOfferTable;
  recurrence: RecurrenceTable;
  recurrence_period: RecurrencePeriodTable;
  message_rule: MessageRuleTable;
  message_setting: MessageSettingTable;
  message_opt_out: MessageOptOutTable;
  domain_event: DomainEventTable;
  event_feed: EventFeedTable;
  webhook_endpoint: WebhookEndpointTable;
  webhook_attempt: WebhookAttemptTable;
  message_template: MessageTemplateTable;
  notification_content: NotificationContentTable;
  sweep_failure: SweepFailureTable;
  integrity_mark: IntegrityMarkTable;
  integrity_pass: IntegrityPassTable;
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };
/** Written as JSON text, read as a value. */
type JsonColumn<T> = ColumnType<T, string, string>;
type OptionalJsonColumn<T> = ColumnType<T | null, string | null | undefined, string | null>;
type Optional<T> = ColumnType<T | null, T | null | undefined, T | null>;
type Instant = ColumnType<Date, Date | string, Date | string>;
type OptionalInstant = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;

export interface GeoPoint {
  readonly lat: number;
  readonly lng: number;
}
export interface Shift {
  /** ISO weekday, 1 = Monday. */
  readonly weekday: number;
  /** Local wall clock, `HH:MM`. */
  readonly from: string;
  readonly to: string;
  /** IANA zone. */
  readonly zone: string;
}
export type StaffRole = 'CLEANER' | 'AGENT' | 'MAINTENANCE_STAFF';
export type ReservationStatus = 'PENDING' | 'CONFIRMED' | 'CHECKED_IN' | 'CHECKED_OUT' | 'CANCELLED' | 'NO_SHOW';
export type TaskType = 'CLEANING' | 'CHECK_IN' | 'CHECK_OUT' | 'INSPECTION' | 'MAINTENANCE' | 'EMERGENCY' | 'FINANCE';
export type TaskStatus = 'UNASSIGNED' | 'ASSIGNED' | 'IN_PROGRESS' | 'COMPLETED' | 'CANCELLED' | 'MERGED' | 'OVERTAKEN';
export type TaskPriority = 'LOW' | 'NORMAL' | 'HIGH' | 'URGENT';
/** How a property stands for the next guest (features PMS-9). */
export type Readiness = 'DIRTY' | 'CLEANING' | 'CLEAN' | 'INSPECTED' | 'OUT_OF_ORDER';
/** What an arrival or a departure may be refused for, where the property says so (domain.md 2). */
export type StayCheck = 'CHECK_IN_TOO_EARLY' | 'BALANCE_DUE' | 'PROPERTY_NOT_READY';
export type TransactionType =
  | 'GUEST_PAYMENT'
  | 'OWNER_PAYOUT'
  | 'AGENCY_FEE'
  | 'REFERRAL_FEE'
  | 'REFUND'
  | 'GATEWAY_FEE'
  | 'ADJUSTMENT'
  | 'REVERSAL'
  | 'DISPUTE';
export type TransactionStatus =
  | 'PENDING'
  | 'PROCESSING'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED'
  | 'REVERSED'
  | 'MANUAL_REQUIRED';
export type PaymentRowStatus = 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'REVERSED';
export type PaymentStatus = 'UNPAID' | 'PARTIALLY_PAID' | 'PAID' | 'OVERPAID' | 'PARTIALLY_REFUNDED' | 'REFUNDED';
export type UnassignedReferral = 'RETAIN' | 'TO_AGENCY' | 'TO_OWNER' | 'PRO_RATA';
/** By the split of the stay, as in a cancellation, or one party alone. */
export type RefundBearer = 'SPLIT' | 'AGENCY' | 'OWNER';
export type GatewayFeeBearer = 'AGENCY' | 'OWNER' | 'PRO_RATA';
export type RefundBase = 'PAID' | 'TOTAL';
/** Whoever cancels at least so many calendar days before arrival gets so many percent; descending by days. */
export interface RefundTier {
  readonly days: number;
  readonly percent: number;
}
/** How an owner wants to be paid, where it differs from the terms. Amounts in minor units by currency. */
export interface PayoutTerms {
  readonly policy?: string;
  readonly hold?: boolean;
  readonly minimumMinor?: Readonly<Record<string, number>>;
  readonly workingCapitalMinor?: Readonly<Record<string, number>>;
}
export type AccountKind =
  | 'GATEWAY_CLEARING'
  | 'BANK'
  | 'OWNER_PAYABLE'
  | 'AGENT_PAYABLE'
  | 'GUEST_CREDIT'
  | 'DEPOSIT_HELD'
  | 'AGENCY_FEE'
  | 'REFERRAL_RETAINED'
  | 'GATEWAY_FEE'
  | 'DISPUTED';
export type JournalKind =
  | 'GUEST_PAYMENT'
  | 'OWNER_SHARE'
  | 'AGENCY_FEE'
  | 'REFERRAL_FEE'
  | 'GATEWAY_FEE'
  | 'REFUND'
  | 'REFUND_PAID'
  | 'OWNER_PAYOUT'
  | 'SETTLEMENT'
  | 'ADJUSTMENT'
  | 'REVERSAL'
  | 'DISPUTE'
  | 'DISPUTE_FEE';
export type JournalPurpose = 'RECEIPT' | 'DISTRIBUTION' | 'FEE' | 'PAYOUT' | 'SETTLEMENT' | 'COST' | 'DISPUTE';
/** What an owner says to a repair that costs more than the limit. */
export type RepairApproval = 'PENDING' | 'APPROVED' | 'DECLINED';
export type MovementKind = 'CHARGE' | 'REFUND' | 'PAYOUT';
export type DifferenceKind =
  | 'AMOUNT_MISMATCH'
  | 'FEE_MISMATCH'
  | 'CURRENCY_MISMATCH'
  | 'STATUS_MISMATCH'
  | 'DATE_MISMATCH'
  | 'MISSING_IN_LEDGER'
  | 'MISSING_AT_GATEWAY';
export type ReconciliationStatus = 'MATCHED' | DifferenceKind;
/** One field in which a gateway's record and ours differ: the two values are never the same. */
export type FieldDifference =
  /** Minor units; null: it is not there at all, or, of an old line, not known any more. */
  | { readonly what: 'AMOUNT' | 'FEE'; readonly ledger: number | null; readonly gateway: number | null }
  /** A currency's code, a state, or an ISO instant. */
  | { readonly what: 'CURRENCY' | 'STATUS' | 'DATE'; readonly ledger: string; readonly gateway: string };
/** `EXPLAINED` by a person; `RESOLVED`: both sides agree by now, or what was missing was booked. */
export type DifferenceStatus = 'OPEN' | 'EXPLAINED' | 'RESOLVED';
export type SagaStatus = 'pending' | 'running' | 'compensating' | 'parked' | 'completed' | 'compensated' | 'resolved';
export type StepStatus = 'pending' | 'running' | 'done' | 'failed' | 'skipped';
export type StepClass = 'READ' | 'COMPENSABLE' | 'PIVOT' | 'RETRIABLE';
export type Direction = 'F' | 'C';
/** A grant is named by its stay. */
export type SubjectType = 'reservation' | 'transaction' | 'amenity_grant';
export type Channel = 'EMAIL' | 'SMS';
export type RecipientType = 'GUEST' | 'OWNER' | 'STAFF' | 'OPS';
export type NotificationStatus = 'QUEUED' | 'SENDING' | 'SENT' | 'DELIVERED' | 'FAILED' | 'SKIPPED' | 'BLOCKED';

interface Party {
  id: string;
  name: string;
  email: string;
  phone: Optional<string>;
  version: Generated<number>;
  created_at: Generated<Date>;
}
export interface OwnerTable extends Party {
  locale: Optional<string>;
  payout_account: Optional<string>;
  payout_terms: OptionalJsonColumn<PayoutTerms>;
}
export interface GuestTable extends Party {
  locale: Optional<string>;
  time_zone: Optional<string>;
}
/** Written by triggers, and for what was found not to agree. */
export interface IntegrityMarkTable {
  id: GeneratedAlways<string>;
  kind: 'reservation' | 'payment' | 'transaction' | 'ledger_tx' | 'saga' | 'all';
  ref: string;
}
export interface IntegrityPassTable {
  id: GeneratedAlways<string>;
  at: Instant;
  finished_at: Generated<Date>;
  difference_count: number;
  sums: JsonColumn<Record<string, Json>>;
}
/** Written by triggers alone. */
export interface GuestPlaceTable {
  /** Empty: of a guest without a stay. */
  property_id: string;
  guest_created_at: Date;
  guest_id: string;
}
export interface StaffTable extends Party {
  role: StaffRole;
  skills: Generated<string[]>;
  home_location: OptionalJsonColumn<GeoPoint>;
  property_ids: Optional<string[]>;
  region: Optional<string>;
  shifts: OptionalJsonColumn<readonly Shift[]>;
  max_minutes_per_day: Optional<number>;
  active: Generated<boolean>;
  bookings: Generated<number>;
  last_job_at: OptionalInstant;
  digest: Generated<boolean>;
}
export interface PropertyTable {
  id: string;
  name: string;
  owner_id: string;
  region: Optional<string>;
  time_zone: Generated<string>;
  check_in_time: Generated<string>;
  check_out_time: Generated<string>;
  location: OptionalJsonColumn<GeoPoint>;
  address: Optional<string>;
  cleaning_minutes: Generated<number>;
  agent_ids: Generated<string[]>;
  amenity_device: Optional<string>;
  version: Generated<number>;
  created_at: Generated<Date>;
  readiness: Generated<Readiness>;
  inspection_required: Generated<boolean>;
  strict_checks: Generated<StayCheck[]>;
  amenity_status: Generated<'INACTIVE' | 'ACTIVE'>;
  auto_check_in: Generated<boolean>;
  auto_check_out: Generated<boolean>;
  checklists: ColumnType<Checklists, string | undefined, string | undefined>;
  primary_staff_ids: Generated<string[]>;
  accept_minutes: Optional<number>;
  check_in_reminder_time: Generated<string>;
  check_out_reminder_time: Generated<string>;
  payment_due_days: ColumnType<number | null, number | null | undefined, number | null | undefined>;
  require_translation: Generated<boolean>;
  repair_limit_minor: Optional<number>;
  repair_limit_currency: Optional<string>;
}
export interface IncomeDistributionTable {
  version: GeneratedAlways<number>;
  owner_bp: number;
  agency_bp: number;
  referrer_bp: number;
  set_by: string;
  set_at: Generated<Date>;
  effective_from: Generated<Date>;
  unassigned_referral: Generated<UnassignedReferral>;
  gateway_fee_bearer: Generated<GatewayFeeBearer>;
  agency_fee_refundable: Generated<boolean>;
  payout_policy: Generated<string>;
  refund_base: Generated<RefundBase>;
  refund_tiers: ColumnType<readonly RefundTier[], string | undefined, never>;
}
export interface ReservationTable {
  id: string;
  kind: Generated<'STAY' | 'OWNER_STAY' | 'MAINTENANCE_BLOCK'>;
  property_id: string;
  guest_id: Optional<string>;
  check_in_date: string;
  check_out_date: string;
  total_minor: number;
  currency: string;
  referring_agent_id: Optional<string>;
  guest_count: Optional<number>;
  planned_arrival: Optional<string>;
  planned_departure: Optional<string>;
  notes: Optional<string>;
  status: Generated<ReservationStatus>;
  distribution_version: Optional<number>;
  confirmed_at: OptionalInstant;
  version: Generated<number>;
  created_by: string;
  created_at: Generated<Date>;
  stay: GeneratedAlways<string>;
  payment_status: Generated<PaymentStatus>;
  cancelled_at: OptionalInstant;
  cancel_reason: Optional<string>;
  actual_check_in_at: OptionalInstant;
  actual_check_out_at: OptionalInstant;
  departure_date: Optional<string>;
  reminded_version: Optional<number>;
}
export interface TaskTable {
  id: string;
  reservation_id: Optional<string>;
  property_id: string;
  type: TaskType;
  occurrence: string;
  title: string;
  description: Optional<string>;
  status: TaskStatus;
  priority: Generated<TaskPriority>;
  assignee_id: Optional<string>;
  scheduled_at: Instant;
  ends_at: Instant;
  must_finish_by: OptionalInstant;
  local_rule: Optional<string>;
  merged_into_task_id: Optional<string>;
  manual_fields: Generated<string[]>;
  assignment_explanation: OptionalJsonColumn<Json>;
  assign_attempts: Generated<number>;
  next_assign_at: OptionalInstant;
  created_by_saga: Optional<string>;
  effect_key: Optional<string>;
  deleted_at: OptionalInstant;
  version: Generated<number>;
  created_at: Generated<Date>;
  block_id: Optional<string>;
  started_at: OptionalInstant;
  completed_at: OptionalInstant;
  completed_by: Optional<string>;
  completion: OptionalJsonColumn<Completion>;
  checklist: OptionalJsonColumn<readonly ChecklistItem[]>;
  required_skills: Generated<string[]>;
  slot_start: OptionalInstant;
  slot_end: OptionalInstant;
  accept_by: OptionalInstant;
  accepted_at: OptionalInstant;
  alert_level: Generated<number>;
  estimate_minor: Optional<number>;
  estimate_currency: Optional<string>;
  approval: Optional<RepairApproval>;
  /** The emergency that it had to give way to. */
  displaced_by: Optional<string>;
}
export interface TransactionTable {
  id: string;
  type: TransactionType;
  status: TransactionStatus;
  reservation_id: Optional<string>;
  owner_id: Optional<string>;
  parent_id: Optional<string>;
  amount_minor: number;
  outstanding_minor: number;
  currency: string;
  distribution_version: Optional<number>;
  created_by_saga: Optional<string>;
  effect_key: Optional<string>;
  completed_at: OptionalInstant;
  cancelled_at: OptionalInstant;
  version: Generated<number>;
  created_at: Generated<Date>;
  settled_minor: Generated<number>;
  payment_id: Optional<string>;
  beneficiary_id: Optional<string>;
  retained_by: Optional<'AGENCY'>;
  scheduled_for: OptionalInstant;
  payout_saga: Optional<string>;
  gateway_id: Optional<string>;
  gateway_reference: Optional<string>;
  payment_method: Optional<string>;
  provider_id: Optional<string>;
  error_code: Optional<string>;
  details: OptionalJsonColumn<Json>;
  /** Of a refund that a person decided: who bears what of it had been divided, and how much that was, in minor units. */
  borne_by: Optional<RefundBearer>;
  borne_minor: Generated<number>;
  /** Of its stay; kept by a trigger, for the lists of agents. */
  property_id: Generated<string | null>;
}
export interface NotificationTable {
  id: string;
  effect_key: string;
  saga_id: Optional<string>;
  reservation_id: Optional<string>;
  task_id: Optional<string>;
  event: string;
  template: string;
  channel: Channel;
  recipient_type: RecipientType;
  recipient_id: string;
  params: ColumnType<Record<string, Json>, string | undefined, string>;
  status: Generated<NotificationStatus>;
  reason: Optional<string>;
  attempts: Generated<number>;
  due_at: Generated<Date>;
  lease_until: OptionalInstant;
  provider_id: Optional<string>;
  sent_at: OptionalInstant;
  created_at: Generated<Date>;
  not_after: OptionalInstant;
  waits: Generated<number>;
  due_rule: Optional<string>;
  resend_of: Optional<string>;
  locale: Optional<string>;
  wanted_locale: Optional<string>;
  template_version: Optional<number>;
  body_hash: Optional<Buffer>;
  delivered_at: OptionalInstant;
  fallback_of: Optional<string>;
  digest_id: Optional<string>;
  /** Sent again with others, and not because somebody waits for it. */
  in_bulk: Generated<boolean>;
  /** Of its stay or task; kept by a trigger, for the lists of agents. */
  property_id: Generated<string | null>;
}
export interface DevMailTable {
  id: GeneratedAlways<number>;
  message_id: string;
  channel: Channel;
  recipient: string;
  subject: Optional<string>;
  body: string;
  received_at: Generated<Date>;
}
export interface SagaTable {
  /** Of its stay, or of that of its transaction; kept by a trigger, for the lists of agents. */
  property_id: Generated<string | null>;
  id: string;
  name: string;
  definition_ver: number;
  subject_type: SubjectType;
  subject_id: string;
  input: JsonColumn<Record<string, Json>>;
  input_hash: Buffer;
  requested_by: string;
  on_behalf_of: Optional<string>;
  request_id: Optional<string>;
  notes: Optional<string>;
  retry_of: Optional<string>;
  requested_at: Generated<Date>;
  updated_at: Generated<Date>;
  status: Generated<SagaStatus>;
  current_step: Generated<number>;
  total_steps: number;
  generation: Generated<number>;
  version: Generated<number>;
  redispatches: Generated<number>;
  error_code: Optional<string>;
  error_detail: OptionalJsonColumn<Json>;
  next_check_at: Generated<Date>;
  deadline_at: Instant;
  response_status: Optional<number>;
  response_body: Optional<Buffer>;
  parked_body: Optional<Buffer>;
  finished_at: OptionalInstant;
  /** The lock kinds that it holds until it has ended (guarantees.md G7). */
  holds_state: Generated<boolean>;
  holds_money: Generated<boolean>;
  /** The status once it is one of the ends; null while the saga is open. */
  ended_as: GeneratedAlways<'completed' | 'compensated' | 'resolved' | null>;
}
export interface SagaStepTable {
  saga_id: string;
  step_no: number;
  direction: Direction;
  name: string;
  kind: 'LOCAL' | 'EXTERNAL';
  class: StepClass;
  status: Generated<StepStatus>;
  attempt: Generated<number>;
  max_attempts: number;
  effect_key: string;
  worker_id: Optional<string>;
  lease_until: OptionalInstant;
  first_sent_at: OptionalInstant;
  request_hash: Optional<Buffer>;
  result: OptionalJsonColumn<Json>;
  error: OptionalJsonColumn<Json>;
  started_at: OptionalInstant;
  finished_at: OptionalInstant;
  done_at_version: Optional<number>;
}
export interface StepAttemptTable {
  saga_id: string;
  step_no: number;
  direction: Direction;
  attempt: number;
  worker_id: string;
  claimed_at: Generated<Date>;
  outcome: Optional<'done' | 'retry' | 'failed' | 'fenced' | 'abandoned'>;
  ended_at: OptionalInstant;
  unsent: Generated<boolean>;
}
export type OutboxKind = 'FLOW_F' | 'FLOW_C' | 'JOB' | 'ALERT';
export interface OutboxTable {
  id: GeneratedAlways<number>;
  kind: OutboxKind;
  dedupe_key: string;
  saga_id: Optional<string>;
  payload: JsonColumn<Record<string, Json>>;
  available_at: Generated<Date>;
  created_at: Generated<Date>;
  attempts: Generated<number>;
  last_error: Optional<string>;
  published_at: OptionalInstant;
}
export interface IdempotencyKeyTable {
  principal: string;
  key: string;
  request_hash: Buffer;
  saga_id: Optional<string>;
  accepted_status: number;
  accepted_body: Buffer;
  answer_headers: OptionalJsonColumn<Readonly<Record<string, string>>>;
  sealed_by: Optional<string>;
  lease_until: OptionalInstant;
  created_at: Generated<Date>;
}
export interface AuditLogTable {
  stream_id: string;
  seq: Generated<number>;
  at: Generated<Date>;
  event: string;
  ends: Generated<boolean>;
  actor: string;
  saga_id: Optional<string>;
  reservation_id: Optional<string>;
  request_id: Optional<string>;
  body: string;
  prev_hash: Generated<Buffer>;
  hash: Generated<Buffer>;
}
export interface PaymentTable {
  id: string;
  reservation_id: string;
  saga_id: string;
  gateway_id: string;
  gateway_reference: string;
  payment_method: Optional<string>;
  /** The provider's own of the card; only the fraud rules read it. */
  card_fingerprint: Optional<string>;
  amount_minor: number;
  currency: string;
  fee_minor: Generated<number>;
  excess_minor: Generated<number>;
  refunded_minor: Generated<number>;
  status: PaymentRowStatus;
  provider_id: Optional<string>;
  error_code: Optional<string>;
  requested_by: string;
  created_at: Generated<Date>;
  completed_at: OptionalInstant;
}
export interface LedgerAccountTable {
  id: string;
  kind: AccountKind;
  party_id: Optional<string>;
  currency: string;
}
export interface LedgerTxTable {
  id: string;
  effect_key: string;
  kind: JournalKind;
  purpose: JournalPurpose;
  currency: string;
  transaction_id: Optional<string>;
  reservation_id: Optional<string>;
  payment_id: Optional<string>;
  saga_id: Optional<string>;
  posted_by: string;
  reverses: Optional<string>;
  made_in: Generated<string>;
  created_at: Generated<Date>;
}
export interface LedgerEntryTable {
  tx_id: string;
  line: number;
  account_id: string;
  currency: string;
  /** Minor units, debit positive. */
  amount: number;
}
/** Sums of entries; of parties, owners alone have rows of their own, the others ''. */
export interface LedgerTotalTable {
  account_kind: AccountKind;
  party_id: string;
  currency: string;
  purpose: JournalPurpose;
  kind: JournalKind;
  amount: number;
}
/** Amounts posted after the totals were last added up. */
export interface LedgerPartTable extends LedgerTotalTable {
  id: GeneratedAlways<number>;
}
export interface GatewayEventTable {
  gateway_id: string;
  event_id: string;
  type: string;
  object_id: Optional<string>;
  received_at: Generated<Date>;
  processed_at: OptionalInstant;
  outcome: Optional<string>;
  /** The event as the gateway told it (`GatewayEvent`), kept until it can be booked. */
  event: OptionalJsonColumn<Json>;
  payment_id: Optional<string>;
  reservation_id: Optional<string>;
}
export interface ReconciliationTable {
  id: string;
  gateway_id: string;
  source: 'GATEWAY' | 'CSV';
  occasion: string;
  from_at: OptionalInstant;
  to_at: OptionalInstant;
  matched: Generated<number>;
  mismatched: Generated<number>;
  missing_in_ledger: Generated<number>;
  missing_at_gateway: Generated<number>;
  started_by: string;
  created_at: Generated<Date>;
  fee_mismatch: Generated<number>;
  currency_mismatch: Generated<number>;
  status_mismatch: Generated<number>;
  date_mismatch: Generated<number>;
  /** Minor units by currency that it booked into the bank. */
  settled: ColumnType<Readonly<Record<string, number>>, string | undefined, string>;
}
export interface ReconciliationLineTable {
  reconciliation_id: string;
  line: number;
  kind: MovementKind;
  reference: string;
  currency: string;
  ledger_minor: Optional<number>;
  gateway_minor: Optional<number>;
  status: ReconciliationStatus;
  transaction_id: Optional<string>;
  provider_id: Optional<string>;
  ledger_currency: Optional<string>;
  ledger_fee_minor: Optional<number>;
  gateway_fee_minor: Optional<number>;
  differs: ColumnType<readonly FieldDifference[], string | undefined, string>;
  difference_id: Optional<string>;
}
/** Stands for itself, whichever comparison finds it, until both sides agree. */
export interface DifferenceTable {
  id: string;
  gateway_id: string;
  movement: MovementKind;
  /** `ours:<payment, refund or payout>`, or `theirs:<provider id>` of what we have not booked. */
  subject: string;
  kind: DifferenceKind;
  differs: JsonColumn<readonly FieldDifference[]>;
  reference: string;
  provider_id: Optional<string>;
  currency: string;
  ledger_currency: Optional<string>;
  ledger_minor: Optional<number>;
  gateway_minor: Optional<number>;
  transaction_id: Optional<string>;
  payment_id: Optional<string>;
  reservation_id: Optional<string>;
  status: Generated<DifferenceStatus>;
  reason: Optional<string>;
  explained_by: Optional<string>;
  explained_at: OptionalInstant;
  correction_id: Optional<string>;
  found_in: string;
  seen_in: string;
  opened_at: Generated<Date>;
  resolved_at: OptionalInstant;
  version: Generated<number>;
  created_at: Generated<Date>;
}
/** A settlement of one charge or refund from the gateway to the bank. Later corrections are rows of their own; their sum counts. Minor units. */
export interface SettlementTable {
  gateway_id: string;
  movement: 'CHARGE' | 'REFUND' | 'DISPUTE';
  subject: string;
  revision: number;
  provider_id: string;
  currency: string;
  amount_minor: number;
  fee_minor: number;
  net_minor: number;
  ledger_tx_id: Optional<string>;
  payment_id: Optional<string>;
  transaction_id: Optional<string>;
  reservation_id: Optional<string>;
  of_earlier_version: Generated<boolean>;
  created_at: Generated<Date>;
}
export interface AmenityGrantTable {
  reservation_id: string;
  property_id: string;
  device: string;
  activation_key: string;
  status: 'ACTIVE' | 'REVOKED';
  provider_id: string;
  access_code: Optional<string>;
  valid_from: Instant;
  valid_until: Instant;
  /** By the departure; null: to be looked at. */
  wanted_until: OptionalInstant;
  /** What the device was last asked for. */
  asked_until: Instant;
  /** How often it was asked for another time. */
  changes: Generated<number>;
  /** Of what the guest was told before, the departure is not known. */
  told_since: Generated<Date>;
  activated_at: Generated<Date>;
  revoked_at: OptionalInstant;
}
export interface CheckOutReportTable {
  id: string;
  reservation_id: string;
  saga_id: string;
  body: string;
  hash: Buffer;
  created_at: Generated<Date>;
}
export interface ChecklistItem {
  readonly id: string;
  readonly label: string;
  /** The task cannot be completed without it. */
  readonly required: boolean;
}
export type Checklists = Readonly<Partial<Record<TaskType, readonly ChecklistItem[]>>>;
/** How a task was done, as it was told. */
export type Completion = {
  readonly notes?: string | undefined;
  /** Of work; as told, or from start to end. */
  readonly minutes?: number | undefined;
  readonly checklist?:
    | readonly {
        readonly id: string;
        readonly done: boolean;
        readonly note?: string | undefined;
        readonly photoIds?: readonly string[] | undefined;
      }[]
    | undefined;
  readonly photos?: readonly string[] | undefined;
  /** Of an inspection. */
  readonly outcome?: 'PASSED' | 'FAILED' | undefined;
  readonly findings?:
    | readonly {
        readonly description: string;
        readonly severity: 'MINOR' | 'SEVERE';
        /** Minor units: what the repair is going to cost. */
        readonly estimate?: { readonly amountMinor: number; readonly currency: string } | undefined;
        readonly photoIds?: readonly string[] | undefined;
      }[]
    | undefined;
  /** Minor units. */
  readonly cost?:
    | { readonly amountMinor: number; readonly currency: string; readonly chargeOwner: boolean }
    | undefined;
};
export type PhotoType = 'image/jpeg' | 'image/png' | 'image/webp';
export interface TaskPhotoTable {
  task_id: string;
  id: string;
  content_type: PhotoType;
  bytes: Buffer;
  sha256: Buffer;
  uploaded_by: string;
  created_at: Generated<Date>;
}
export interface RepairApprovalTable {
  task_id: string;
  owner_id: string;
  token: string;
  decided_at: OptionalInstant;
  decided_by: Optional<string>;
  note: Optional<string>;
  created_at: Generated<Date>;
}
export interface TaskActionTable {
  task_id: string;
  action: string;
  subject_id: string;
  created_at: Generated<Date>;
}
export interface AssignmentRuleTable {
  only_row: Generated<boolean>;
  workload_percent: Generated<number>;
  proximity_percent: Generated<number>;
  primary_percent: Generated<number>;
  fairness_percent: Generated<number>;
  max_km: Generated<number>;
  speed_kmh: Generated<number>;
  day_minutes: Generated<number>;
  fairness_hours: Generated<number>;
  hold_minutes: Generated<number>;
  emergency_accept_minutes: Generated<number>;
  accept_quiet_from: Generated<string>;
  accept_quiet_to: Generated<string>;
}
export interface StaffLeaveTable {
  id: string;
  staff_id: string;
  starts_at: Instant;
  ends_at: Instant;
  reason: Optional<string>;
  created_by: string;
  created_at: Generated<Date>;
}
export interface StaffHoldTable {
  id: string;
  occasion: string;
  staff_id: string;
  property_id: string;
  starts_at: Instant;
  ends_at: Instant;
  expires_at: Instant;
  used_by: Optional<string>;
}
export type RefusalReason = 'DECLINED' | 'NO_ANSWER';
export interface TaskRefusalTable {
  task_id: string;
  staff_id: string;
  reason: RefusalReason;
  note: Optional<string>;
  at: Generated<Date>;
  times: Generated<number>;
}
/** Written by a trigger of `task`. */
export interface TaskOfferTable {
  token: string;
  task_id: string;
  staff_id: string;
  accept_by: Instant;
  asked_at: Generated<Date>;
}
/** "MONTHLY", "QUARTERLY", or by days, completed stays or completed nights. */
export type RecurrenceEvery =
  | 'MONTHLY'
  | 'QUARTERLY'
  | { readonly days: number }
  | { readonly stays: number }
  | { readonly nights: number };
export interface RecurrenceTable {
  id: string;
  property_id: string;
  type: 'INSPECTION' | 'MAINTENANCE';
  title: string;
  description: Optional<string>;
  checklist: OptionalJsonColumn<readonly string[]>;
  every: JsonColumn<RecurrenceEvery>;
  anchor_date: string;
  local_time: string;
  duration_minutes: number;
  active: Generated<boolean>;
  next_period: number;
  next_look_at: Generated<Date>;
  created_by: string;
  version: Generated<number>;
  created_at: Generated<Date>;
}
export interface RecurrencePeriodTable {
  recurrence_id: string;
  period: number;
  due_date: string;
  last_date: string;
  status: 'MADE' | 'SKIPPED';
  task_id: Optional<string>;
  recorded_at: Generated<Date>;
}
export interface CalendarFeedTable {
  staff_id: string;
  token_hash: Buffer;
  created_at: Generated<Date>;
}
export interface MessageRuleTable {
  only_row: Generated<boolean>;
  quiet_from: Generated<string>;
  quiet_to: Generated<string>;
  last_call: Generated<string>;
  quiet_channels: Generated<Channel[]>;
  review_delay_hours: Generated<number>;
  review_despite_incident: Generated<boolean>;
  digest_time: Generated<string>;
}
export interface MessageSettingTable {
  event: string;
  recipient_type: RecipientType;
  channel: Channel;
  enabled: boolean;
}
export interface MessageOptOutTable {
  recipient_type: Exclude<RecipientType, 'OPS'>;
  recipient_id: string;
  event: string;
  channel: Channel;
  created_at: Generated<Date>;
}
export interface DomainEventTable {
  id: GeneratedAlways<number>;
  seq: Optional<number>;
  at: Generated<Date>;
  type: string;
  resource: string;
  resource_id: string;
  reservation_id: Optional<string>;
  data: JsonColumn<Record<string, Json>>;
}
export interface EventFeedTable {
  only_row: Generated<boolean>;
  last_seq: Generated<number>;
}
export interface WebhookEndpointTable {
  id: string;
  url: string;
  description: Optional<string>;
  types: Generated<string[]>;
  status: Generated<'ACTIVE' | 'DISABLED'>;
  disabled_reason: Optional<string>;
  secret: string;
  previous_secret: Optional<string>;
  previous_until: OptionalInstant;
  next_seq: number;
  attempt: Generated<number>;
  next_attempt_at: Generated<Date>;
  lease_until: OptionalInstant;
  fence: Generated<number>;
  created_by: string;
  version: Generated<number>;
  created_at: Generated<Date>;
}
export interface WebhookAttemptTable {
  id: GeneratedAlways<number>;
  endpoint_id: string;
  seq: number;
  type: string;
  attempt: number;
  at: Generated<Date>;
  status_code: Optional<number>;
  reason: Optional<string>;
  ms: number;
}
export interface MessageTemplateTable {
  key: string;
  locale: string;
  version: number;
  subject: Optional<string>;
  message: string;
  created_by: string;
  created_at: Generated<Date>;
}
export interface NotificationContentTable {
  notification_id: string;
  subject: Optional<string>;
  body: string;
}

/** Rows that a sweep could not work on. */
export interface SweepFailureTable {
  sweep: string;
  row_id: string;
  reason: string;
  attempts: Generated<number>;
  first_at: Generated<Date>;
  last_at: Generated<Date>;
  /** The sweep leaves the row alone until then. */
  next_try_at: Instant;
}
