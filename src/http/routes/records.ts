import { createRoute } from '@hono/zod-openapi';
import { type ChainReport as ChainsReport, listAudit, verifyAudit } from '../../domain/audit/resource.ts';
import { verifySeals } from '../../domain/audit/seals/verify.ts';
import { listTransactions } from '../../domain/finance/resource.ts';
import { getTransaction } from '../../domain/finance/transaction-detail.ts';
import { getNotification, listNotifications } from '../../domain/messages/resource.ts';
import { found, page } from '../answers.ts';
import type { Services } from '../context.ts';
import { detailsShown } from '../masks.ts';
import { withPeriod } from '../period.ts';
import { agentOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, many, one, refusals } from '../schemas/envelope.ts';
import {
  AUDIT_EXAMPLE,
  AuditQuery,
  AuditRow,
  AuditVerifyQuery,
  ChainReport,
  Notification,
  NotificationQuery,
  Transaction,
  TransactionDetail,
  TransactionQuery,
} from '../schemas/records.ts';
import { scopeOf } from './financial.ts';

/** Records that can only be read: sagas and schedules write them. */

const API = '/api/production';
const LIST_REFUSALS = refusals('VALIDATION_FAILED', 'INVALID_CURSOR');
const READ_REFUSALS = refusals('VALIDATION_FAILED', 'NOT_FOUND');
/** Less than what a client waits for, so that a long report comes in parts. */
const MAX_VERIFY_MS = 8_000;

const transactions = createRoute({
  method: 'get',
  path: `${API}/transactions`,
  tags: ['Transactions'],
  summary: 'List transactions, newest first',
  request: { query: TransactionQuery },
  responses: { 200: answer('A page of transactions', many(Transaction)), ...LIST_REFUSALS },
});
const transaction = createRoute({
  method: 'get',
  path: `${API}/transactions/{id}`,
  tags: ['Transactions'],
  summary: 'Get a transaction with its saga, its entries and its reversals',
  request: { params: IdParam },
  responses: { 200: answer('The transaction', one(TransactionDetail)), ...READ_REFUSALS },
});
const notifications = createRoute({
  method: 'get',
  path: `${API}/notifications`,
  tags: ['Notifications'],
  summary: 'List notifications, newest first',
  request: { query: NotificationQuery },
  responses: { 200: answer('A page of notifications', many(Notification)), ...LIST_REFUSALS },
});
const notification = createRoute({
  method: 'get',
  path: `${API}/notifications/{id}`,
  tags: ['Notifications'],
  summary: 'Get a notification',
  request: { params: IdParam },
  responses: { 200: answer('The notification', one(Notification)), ...READ_REFUSALS },
});
const audit = createRoute({
  method: 'get',
  path: `${API}/audit`,
  tags: ['Audit'],
  summary: 'List the audit trail, newest first',
  request: { query: AuditQuery },
  responses: {
    200: answer('A page of audit rows', many(AuditRow), { success: true, data: [AUDIT_EXAMPLE], nextCursor: null }),
    ...LIST_REFUSALS,
  },
});
const verify = createRoute({
  method: 'get',
  path: `${API}/audit/verify`,
  tags: ['Audit'],
  summary: 'Check every hash chain of the audit trail',
  request: { query: AuditVerifyQuery },
  responses: { 200: answer('What was checked', one(ChainReport)), ...refusals('VALIDATION_FAILED') },
});

/** Seals come after all chains. */
const NO_MORE_CHAINS: ChainsReport = { verified: 0, broken: [], complete: true, nextStream: null };

export function registerRecords(register: Register, services: Services): void {
  const { db } = services;
  register(transactions, async (c) =>
    page(c, services, 'transactions', await withPeriod(c, services, c.req.valid('query')), (filter, at) =>
      listTransactions(db, scopeOf(c), filter, at),
    ),
  );
  register(transaction, async (c) => found(c, await getTransaction(db, scopeOf(c), c.req.valid('param').id)));
  register(notifications, async (c) =>
    page(c, services, 'notifications', await withPeriod(c, services, c.req.valid('query')), (filter, at) =>
      listNotifications(db, filter, agentOf(c), at),
    ),
  );
  register(notification, async (c) => found(c, await getNotification(db, c.req.valid('param').id, agentOf(c))));
  register(audit, async (c) =>
    page(c, services, 'audit', await withPeriod(c, services, c.req.valid('query')), async (filter, at) => {
      const { items, next } = await listAudit(db, filter, at);
      return { items: items.map((row) => ({ ...row, details: detailsShown(c, row.details, row.event) })), next };
    }),
  );
  register(verify, async (c) => {
    const { afterStream = null, afterSeal } = c.req.valid('query');
    const chains = afterSeal === undefined ? await verifyAudit(db, afterStream, MAX_VERIFY_MS) : NO_MORE_CHAINS;
    const seals =
      chains.complete && services.auditSeals
        ? await verifySeals(services.auditSeals, afterSeal ?? 0, MAX_VERIFY_MS)
        : null;
    return found(c, { ...chains, complete: chains.complete && (seals?.nextSeal ?? null) === null, seals });
  });
}
