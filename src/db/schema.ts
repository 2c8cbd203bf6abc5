import type { ColumnType, Generated, GeneratedAlways, InsertType, SelectType, UpdateType } from 'kysely';
import type { DB } from './schema.generated.ts';

/**
 * The tables as Kysely sees them. Columns, nulls, defaults and the lists of a CHECK come from the migrated database
 * (`npm run db:schema`); here is what the database cannot say. Instants are `Date`, dates are `YYYY-MM-DD` text, bigint
 * columns are numbers (all are bounded by 2^53-1).
 */
export interface Database extends Omit<DB, keyof NarrowedTables>, NarrowedTables {}

/** The values of a column without null. */
type Value<T extends keyof DB, C extends keyof DB[T]> = NonNullable<SelectType<DB[T][C]>>;

/** A row type with columns of the narrower types `Types`; to name a column that is not there does not compile. */
type Narrow<T extends keyof DB, Types extends { [C in keyof Types]: C extends keyof DB[T] ? unknown : never }> = {
  [C in keyof DB[T]]: C extends keyof Types ? Column<DB[T][C], Types[C]> : DB[T][C];
};
/** Null and defaults stay as the database has them, unless `V` is a column's type itself. JSON is written as text. */
type Column<C, V> = [V] extends [ColumnType<unknown, unknown, unknown>]
  ? V
  : unknown extends SelectType<C>
    ? ColumnType<V | Extract<InsertType<C>, null>, InsertType<C>, UpdateType<C>>
    : ColumnType<Swap<SelectType<C>, V>, Swap<InsertType<C>, V>, Swap<UpdateType<C>, V>>;
type Swap<Old, V> = [Old] extends [never] ? never : V | Extract<Old, null | undefined>;

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = Record<string, Json>;

export type StaffRole = Value<'staff', 'role'>;
export type ReservationStatus = Value<'reservation', 'status'>;
export type TaskType = Value<'task', 'type'>;
export type TaskStatus = Value<'task', 'status'>;
export type TaskPriority = Value<'task', 'priority'>;
/** How a property stands for the next guest. */
export type Readiness = Value<'property', 'readiness'>;
export type TransactionType = Value<'transaction', 'type'>;
export type TransactionStatus = Value<'transaction', 'status'>;
export type PaymentRowStatus = Value<'payment', 'status'>;
export type PaymentStatus = Value<'reservation', 'payment_status'>;
export type UnassignedReferral = Value<'income_distribution', 'unassigned_referral'>;
/** By the split of the stay, as in a cancellation, or one party alone. */
export type RefundBearer = Value<'transaction', 'borne_by'>;
export type GatewayFeeBearer = Value<'income_distribution', 'gateway_fee_bearer'>;
export type RefundBase = Value<'income_distribution', 'refund_base'>;
export type AccountKind = Value<'ledger_account', 'kind'>;
export type JournalKind = Value<'ledger_tx', 'kind'>;
export type JournalPurpose = Value<'ledger_tx', 'purpose'>;
/** What an owner says to a repair that costs more than the limit. */
export type RepairApproval = Value<'task', 'approval'>;
/** What a second person is asked about, and the state of the question. */
export type ApprovalKind = Value<'approval', 'kind'>;
export type ApprovalStatus = Value<'approval', 'status'>;
export type MovementKind = Value<'difference', 'movement'>;
export type DifferenceKind = Value<'difference', 'kind'>;
export type ReconciliationStatus = Value<'reconciliation_line', 'status'>;
/** `EXPLAINED` by a person; `RESOLVED`: both sides agree by now, or what was missing was booked. */
export type DifferenceStatus = Value<'difference', 'status'>;
export type SagaStatus = Value<'saga', 'status'>;
export type HoldScope = Value<'hold', 'scope'>;
export type StepStatus = Value<'saga_step', 'status'>;
export type StepClass = Value<'saga_step', 'class'>;
export type Direction = Value<'saga_step', 'direction'>;
/** A grant is named by its stay. */
export type SubjectType = Value<'saga', 'subject_type'>;
export type Channel = Value<'notification', 'channel'>;
export type RecipientType = Value<'notification', 'recipient_type'>;
export type NotificationStatus = Value<'notification', 'status'>;
export type PhotoType = Value<'task_photo', 'content_type'>;
export type RefusalReason = Value<'task_refusal', 'reason'>;

/** What an arrival or a departure may be refused for, where the property says so (domain.md 2). */
export type StayCheck = 'CHECK_IN_TOO_EARLY' | 'BALANCE_DUE' | 'PROPERTY_NOT_READY';
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
/** A guest who cancels at least so many calendar days before arrival gets so many percent; descending by days. */
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
/** Minor units by currency. */
export type MinorByCurrency = Readonly<Record<string, number>>;
/** One field in which a gateway's record and ours differ: the two values are never the same. */
export type FieldDifference =
  /** Minor units; null: it is not there at all, or, of an old line, not known any more. */
  | { readonly what: 'AMOUNT' | 'FEE'; readonly ledger: number | null; readonly gateway: number | null }
  /** A currency's code, a state, or an ISO instant. */
  | { readonly what: 'CURRENCY' | 'STATUS' | 'DATE'; readonly ledger: string; readonly gateway: string };
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
/** "MONTHLY", "QUARTERLY", or by days, completed stays or completed nights. */
export type RecurrenceEvery =
  | 'MONTHLY'
  | 'QUARTERLY'
  | { readonly days: number }
  | { readonly stays: number }
  | { readonly nights: number };

/** One thing that an incident is about. Ids, codes and ISO instants: nothing of a person. */
export interface IncidentExample {
  /** Of the record: a saga, a stream and number of the audit trail, a row that was set aside. */
  readonly id: string;
  readonly sagaId?: string | undefined;
  readonly reservationId?: string | undefined;
  readonly propertyId?: string | undefined;
  /** Since when it is so. */
  readonly since?: string | undefined;
  /** How often it was tried. */
  readonly attempts?: number | undefined;
  /** Why the last time failed. */
  readonly code?: string | undefined;
}
/** A row of the audit trail that does not fit into its chain. */
export interface BrokenRow {
  readonly streamId: string;
  readonly seq: number;
}

interface NarrowedTables {
  /** Written by triggers alone. */
  guest_place: Narrow<'guest_place', { guest_created_at: ColumnType<Date> }>;
  owner: Narrow<'owner', { payout_terms: PayoutTerms }>;
  staff: Narrow<'staff', { home_location: GeoPoint; shifts: readonly Shift[] }>;
  property: Narrow<'property', { location: GeoPoint; strict_checks: StayCheck[]; checklists: Checklists }>;
  /** Versions are never changed. */
  income_distribution: Narrow<
    'income_distribution',
    { refund_tiers: ColumnType<readonly RefundTier[], string | undefined, never> }
  >;
  /** Versions are never changed. `roles`: null is any amount. */
  approval_limit: Narrow<
    'approval_limit',
    {
      override_minor: MinorByCurrency;
      charge_minor: MinorByCurrency;
      roles: Readonly<Record<'FINANCE' | 'ADMIN', MinorByCurrency | null>>;
    }
  >;
  incident: Narrow<'incident', { details: { readonly examples?: readonly IncidentExample[] } }>;
  watch: Narrow<'watch', { audit_found: readonly BrokenRow[]; audit_broken: readonly BrokenRow[] }>;
  /** An expression over columns that are not null. */
  reservation: Narrow<'reservation', { stay: GeneratedAlways<string> }>;
  task: Narrow<'task', { assignment_explanation: Json; completion: Completion; checklist: readonly ChecklistItem[] }>;
  transaction: Narrow<'transaction', { details: Json }>;
  notification: Narrow<'notification', { params: JsonObject }>;
  dev_mail: Narrow<'dev_mail', { channel: Channel }>;
  /** `ended_as`: the status once it is one of the ends; null while the saga is open. */
  saga: Narrow<'saga', { input: JsonObject; error_detail: Json; ended_as: 'completed' | 'compensated' | 'resolved' }>;
  saga_step: Narrow<'saga_step', { result: Json; error: Json }>;
  saga_amendment: Narrow<'saga_amendment', { fields: Json }>;
  saga_signal: Narrow<'saga_signal', { payload: Json }>;
  step_attempt: Narrow<'step_attempt', { direction: Direction; error: Json }>;
  outbox: Narrow<'outbox', { payload: JsonObject }>;
  idempotency_key: Narrow<'idempotency_key', { answer_headers: Readonly<Record<string, string>> }>;
  /** Numbered and chained by a trigger. */
  audit_log: Narrow<'audit_log', { seq: Generated<number>; prev_hash: Generated<Buffer>; hash: Generated<Buffer> }>;
  /** Sums of entries; of parties, owners alone have rows of their own, the others ''. */
  ledger_total: Narrow<'ledger_total', { account_kind: AccountKind; purpose: JournalPurpose; kind: JournalKind }>;
  /** The same by property and owner of the transaction, '' where there is none. */
  ledger_property_total: Narrow<
    'ledger_property_total',
    { account_kind: AccountKind; purpose: JournalPurpose; kind: JournalKind }
  >;
  /** What a journal has changed on an owner's account, at the journal's time; + debit, - credit. */
  ledger_owner_line: Narrow<'ledger_owner_line', object>;
  /** Amounts posted after the totals were last added up. */
  ledger_part: Narrow<'ledger_part', { account_kind: AccountKind; purpose: JournalPurpose; kind: JournalKind }>;
  /** The event as the gateway told it (`GatewayEvent`), kept until it can be booked. */
  gateway_event: Narrow<'gateway_event', { event: Json }>;
  stream_ticket: Narrow<'stream_ticket', { caller: Json }>;
  /** `settled`: minor units by currency that it booked into the bank. */
  reconciliation: Narrow<'reconciliation', { settled: Readonly<Record<string, number>> }>;
  reconciliation_line: Narrow<'reconciliation_line', { differs: readonly FieldDifference[] }>;
  difference: Narrow<'difference', { differs: readonly FieldDifference[] }>;
  integrity_pass: Narrow<'integrity_pass', { sums: JsonObject }>;
  recurrence: Narrow<'recurrence', { checklist: readonly string[]; every: RecurrenceEvery }>;
  message_rule: Narrow<'message_rule', { quiet_channels: Channel[] }>;
  domain_event: Narrow<'domain_event', { data: JsonObject | readonly Json[] }>;
  one_time: Narrow<'one_time', { data: JsonObject }>;
}

export type OwnerTable = Database['owner'];
export type GuestTable = Database['guest'];
export type StaffTable = Database['staff'];
export type PropertyTable = Database['property'];
export type IncomeDistributionTable = Database['income_distribution'];
export type ApprovalTable = Database['approval'];
export type ApprovalLimitTable = Database['approval_limit'];
export type ReservationTable = Database['reservation'];
export type TaskTable = Database['task'];
export type TransactionTable = Database['transaction'];
export type NotificationTable = Database['notification'];
export type SagaTable = Database['saga'];
export type SagaStepTable = Database['saga_step'];
export type AuditLogTable = Database['audit_log'];
export type ReconciliationTable = Database['reconciliation'];
export type ReconciliationLineTable = Database['reconciliation_line'];
export type DifferenceTable = Database['difference'];
export type AssignmentRuleTable = Database['assignment_rule'];
export type StaffLeaveTable = Database['staff_leave'];
export type RecurrenceTable = Database['recurrence'];
export type MessageRuleTable = Database['message_rule'];
export type DomainEventTable = Database['domain_event'];
export type WebhookEndpointTable = Database['webhook_endpoint'];
