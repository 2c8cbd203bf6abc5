import { createRoute } from '@hono/zod-openapi';
import { ownerBalance, statementLines, statementTotals } from '../../domain/finance/balances.ts';
import { integrityNow } from '../../domain/finance/integrity-now.ts';
import type { MoneyScope } from '../../domain/finance/scope.ts';
import { financialSummary } from '../../domain/finance/summary.ts';
import { found, page } from '../answers.ts';
import { type AnyContext, callerOf, type Services } from '../context.ts';
import { withPeriod } from '../period.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, many, one, refusals } from '../schemas/envelope.ts';
import {
  FinancialSummary,
  IntegrityQuery,
  IntegrityReport,
  OwnerBalance,
  StatementLine,
  StatementQuery,
  StatementTotals,
  SUMMARY_EXAMPLE,
  SummaryQuery,
} from '../schemas/finance-reads.ts';

const API = '/api/production';
const tags = ['Finance'];

const summary = createRoute({
  method: 'get',
  path: `${API}/financial/summary`,
  tags,
  summary: 'Sum the ledger, by currency; an owner sees its own money alone',
  request: { query: SummaryQuery },
  responses: {
    200: answer('The sums', one(FinancialSummary), SUMMARY_EXAMPLE),
    ...refusals('VALIDATION_FAILED', 'NOT_FOUND'),
  },
});
const integrity = createRoute({
  method: 'get',
  path: `${API}/financial/integrity`,
  tags,
  summary: 'Recompute what has changed of the money, or all of it, from its rows and name what does not agree',
  request: { query: IntegrityQuery },
  responses: { 200: answer('The report', one(IntegrityReport)), ...refusals('VALIDATION_FAILED') },
});
const balance = createRoute({
  method: 'get',
  path: `${API}/owners/{id}/balance`,
  tags,
  summary: 'What an owner is owed, by currency',
  request: { params: IdParam },
  responses: { 200: answer('The balance', one(OwnerBalance)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const statement = createRoute({
  method: 'get',
  path: `${API}/owners/{id}/statement`,
  tags,
  summary: 'The lines of an owner’s account, oldest first, with the running balance',
  request: { params: IdParam, query: StatementQuery },
  responses: {
    200: answer('A page of the statement', many(StatementLine, { balances: StatementTotals })),
    ...refusals('VALIDATION_FAILED', 'NOT_FOUND', 'INVALID_CURSOR'),
  },
});

export function registerFinancial(register: Register, services: Services): void {
  const { db } = services;
  register(summary, async (c) =>
    found(c, {
      currencies: await financialSummary(db, scopeOf(c), await withPeriod(c, services, c.req.valid('query'))),
    }),
  );
  register(integrity, async (c) => found(c, await integrityNow(db, c.req.valid('query').full === true)));
  register(balance, async (c) => {
    const { id } = c.req.valid('param');
    return found(c, { ownerId: id, currencies: await ownerBalance(db, scopeOf(c), id) });
  });
  register(statement, async (c) => {
    const { id } = c.req.valid('param');
    const query = await withPeriod(c, services, c.req.valid('query'));
    const balances = await statementTotals(db, scopeOf(c), id, query);
    const list = `statement ${id}`;
    return page(c, services, list, query, (filter, at) => statementLines(db, id, filter, at), { balances });
  });
}

/** Whose money the caller may see; the policy has decided already who may ask. */
export function scopeOf(c: AnyContext): MoneyScope {
  const caller = callerOf(c);
  if (caller.kind === 'person' && caller.role === 'OWNER') return { kind: 'OWNER', ownerId: caller.principal };
  if (caller.kind === 'person' && caller.role === 'AGENT') return { kind: 'PORTFOLIO', agentId: caller.principal };
  return { kind: 'ALL' };
}
