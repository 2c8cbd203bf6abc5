import { z } from '@hono/zod-openapi';
import { VARIABLES } from '../../domain/messages/templates.ts';
import { filtersBy, noReference } from '../references.ts';
import { Id, line, pageQuery, reference } from './common.ts';
import { periodFields } from './period.ts';

/** Records that only sagas and the trail write: transactions, notifications, audit rows. */

const TransactionType = z.enum([
  'GUEST_PAYMENT',
  'OWNER_PAYOUT',
  'AGENCY_FEE',
  'REFERRAL_FEE',
  'REFUND',
  'GATEWAY_FEE',
  'ADJUSTMENT',
  'REVERSAL',
  'DISPUTE',
]);
const TransactionStatus = z.enum([
  'PENDING',
  'PROCESSING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'REVERSED',
  'MANUAL_REQUIRED',
]);
export const Transaction = z
  .object({
    id: z.string(),
    type: TransactionType,
    status: TransactionStatus,
    amount: z.number().openapi({
      description:
        'Major units; of a completed payment what it received, so that the completed payments of a stay add up',
    }),
    amountDue: z
      .number()
      .nullable()
      .openapi({ description: 'What the guest was asked for; null: no payment of a guest' }),
    amountOutstanding: z.number(),
    amountSettled: z.number().openapi({ description: 'What this row itself moved' }),
    currency: z.string(),
    reservationId: z.string().nullable(),
    ownerId: z.string().nullable(),
    parentId: z.string().nullable(),
    paymentId: z.string().nullable(),
    beneficiary: z.string().nullable().openapi({ description: 'The agent of a referral fee' }),
    retainedBy: z.enum(['AGENCY']).nullable(),
    gatewayId: z.string().nullable(),
    gatewayReference: z.string().nullable(),
    paymentMethod: z.string().nullable(),
    providerId: z.string().nullable().openapi({ description: 'The gateway’s or bank’s own id' }),
    errorCode: z.string().nullable(),
    details: z.unknown().openapi({
      description:
        'Of a refund: percent, rule and daysBeforeCheckIn of a cancellation, with beyondPolicy if it gave so much more than the policy (major units), or the reason and the bearer that a person gave; of a dispute: the reason of the guest’s bank, and until when it can be answered',
    }),
    scheduledFor: z.iso.datetime().nullable(),
    createdBySaga: z.string().nullable(),
    payoutSaga: z.string().nullable(),
    actor: z.string().nullable().openapi({ description: 'Who asked for the saga that made it' }),
    completedAt: z.iso.datetime().nullable(),
    cancelledAt: z.iso.datetime().nullable(),
    version: z.int(),
    createdAt: z.iso.datetime(),
  })
  .openapi('Transaction');
export const TransactionDetail = Transaction.extend({
  saga: z.object({ id: z.string(), name: z.string(), status: z.string() }).nullable(),
  payoutSagaName: z.string().nullable(),
  onBehalfOf: z.string().nullable(),
  entries: z.array(
    z.object({
      journalId: z.string(),
      kind: z.string(),
      purpose: z.string(),
      account: z.string().openapi({ example: 'owner_payable:owner-1:AED' }),
      debit: z.number().nullable(),
      credit: z.number().nullable(),
      postedBy: z.string(),
      at: z.iso.datetime(),
    }),
  ),
  reverses: z.string().nullable(),
  reversedBy: z.array(z.string()),
}).openapi('TransactionDetail');
export const TransactionQuery = z.strictObject({
  reservationId: filtersBy(Id, 'reservation').optional(),
  ownerId: filtersBy(Id, 'owner').optional(),
  type: TransactionType.optional(),
  status: TransactionStatus.optional(),
  gatewayReference: reference(255)
    .optional()
    .openapi({ description: 'A gateway’s reference or id, as on a bank’s statement' }),
  providerId: noReference(reference(200), 'the gateway’s own word, looked for among what the caller sees')
    .optional()
    .openapi({
      description: 'The gateway’s or bank’s own id of a charge, with all that came of it, of a refund or of a payout',
    }),
  ...periodFields('Made'),
  ...pageQuery,
});

const NotificationStatus = z.enum(['QUEUED', 'SENDING', 'SENT', 'DELIVERED', 'FAILED', 'SKIPPED', 'BLOCKED']);
export const Notification = z
  .object({
    id: z.string(),
    event: z.string(),
    template: z.string(),
    channel: z.enum(['EMAIL', 'SMS']),
    recipientType: z.enum(['GUEST', 'OWNER', 'STAFF', 'OPS']),
    recipientId: z.string(),
    status: NotificationStatus,
    reason: z.string().nullable(),
    attempts: z.int(),
    reservationId: z.string().nullable(),
    taskId: z.string().nullable(),
    sagaExecutionId: z.string().nullable(),
    dueAt: z.iso.datetime(),
    dueRule: z.string().nullable().openapi({ description: 'How `dueAt` came about' }),
    resendOf: z.string().nullable(),
    locale: z.string().nullable().openapi({ description: 'What it was sent in' }),
    wantedLocale: z.string().nullable().openapi({ description: 'What the recipient reads' }),
    templateVersion: z.int().nullable(),
    sentAt: z.iso.datetime().nullable(),
    deliveredAt: z.iso.datetime().nullable(),
    fallbackOf: z
      .string()
      .nullable()
      .openapi({ description: 'The message over the other channel that could not be sent' }),
    createdAt: z.iso.datetime(),
  })
  .openapi('Notification');
/** The catalogue of the templates: a name that is misspelt would select nothing, for ever. */
const NotificationEventName = z.enum(Object.keys(VARIABLES));
export const NotificationQuery = z.strictObject({
  reservationId: filtersBy(Id, 'reservation').optional(),
  recipientId: filtersBy(Id, 'recipient').optional(),
  event: NotificationEventName.optional(),
  status: NotificationStatus.optional(),
  ...periodFields('Made'),
  ...pageQuery,
});

/** The brief's sample row, with what makes it evidence: who, for whom, by which request, and its place in the chain. */
export const AuditRow = z
  .object({
    id: z.string().openapi({ description: '`<stream>:<seq>`' }),
    seq: z.int(),
    timestamp: z.iso.datetime(),
    event: z.string(),
    saga: z.string().nullable(),
    reservationId: z.string().nullable(),
    userId: z.string(),
    details: z.unknown(),
    actor: z.object({ type: z.enum(['PERSON', 'SERVICE', 'SYSTEM']), id: z.string() }),
    onBehalfOf: z.string().nullable(),
    ip: z.string().nullable().openapi({ description: 'Address of the client whose request it was' }),
    credential: z.string().nullable().openapi({
      description:
        'By what it was known who sent the request: `session:<id>`, `key:<start of its digest>`, `token:<jti>` or `link`',
    }),
    requestId: z.string().nullable(),
    sagaExecutionId: z.string().nullable(),
    outcome: z.string().nullable(),
    prevHash: z.string(),
    hash: z.string(),
  })
  .openapi('AuditRow');
export const AUDIT_EXAMPLE = {
  id: 'saga-1:2',
  seq: 2,
  timestamp: '2024-01-15T10:00:00Z',
  event: 'RESERVATION_CONFIRMED',
  saga: 'confirmReservation',
  reservationId: 'reservation-1',
  userId: 'agent-1',
  details: { stepsCompleted: 8, tasksCreated: 4, transactionsCreated: 1, notificationsSent: 2 },
  actor: { type: 'PERSON', id: 'agent-1' },
  onBehalfOf: null,
  ip: '203.0.113.7',
  credential: 'session:session-1',
  requestId: 'request-1',
  sagaExecutionId: 'saga-1',
  outcome: 'completed',
  prevHash: '00'.repeat(32),
  hash: 'ff'.repeat(32),
};
export const AuditQuery = z.strictObject({
  reservationId: filtersBy(Id, 'reservation').optional(),
  sagaExecutionId: filtersBy(Id, 'saga').optional(),
  event: line(64).optional(),
  actor: line(160).optional(),
  requestId: noReference(line(128), 'it names a request, which is no record').optional().openapi({
    description:
      'What was written within ten minutes of the request. With an id that a client chose, `from` says when; default: just now',
  }),
  ...periodFields('Written'),
  ...pageQuery,
});
export const AuditVerifyQuery = z.strictObject({
  afterStream: line(200).optional().openapi({ description: '`nextStream` of an incomplete report' }),
  afterSeal: z.coerce
    .number()
    .int()
    .min(0)
    .max(2_000_000_000)
    .optional()
    .openapi({ description: '`seals.nextSeal` of an incomplete report: chains are not walked again' }),
});
const SealReport = z
  .object({
    last: z.int().openapi({ description: 'Number of the newest seal; 0: there is none yet' }),
    broken: z.array(
      z.object({
        no: z.int(),
        reason: z.enum(['ROWS_DIFFER', 'FORGED', 'MISSING']),
        from: z.string().optional(),
        to: z.string().optional(),
        sealedRows: z.int().optional(),
        foundRows: z.int().optional(),
      }),
    ),
    nextSeal: z.int().nullable().openapi({ description: 'Null: all seals have been compared' }),
  })
  .openapi('SealReport');
export const ChainReport = z
  .object({
    verified: z.int(),
    broken: z.array(z.object({ streamId: z.string(), seq: z.int() })),
    complete: z.boolean(),
    nextStream: z.string().nullable(),
    seals: SealReport.nullable().openapi({ description: 'Null: the trail is not sealed here, or chains come first' }),
  })
  .openapi('ChainReport');
