import { createRoute } from '@hono/zod-openapi';
import type { Tx } from '../../db/client.ts';
import { type ReconcileOrder, reconcileWithin } from '../../domain/finance/reconciliation.ts';
import { orderByGateway } from '../../domain/finance/reconciliation-night.ts';
import {
  getReconciliation,
  listReconciliations,
  type ReconciliationLineView,
  reconciliationLines,
} from '../../domain/finance/reconciliation-views.ts';
import { csvLine, MAX_SETTLEMENT_BYTES, readSettlementFile } from '../../domain/finance/settlement-file.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { found, page } from '../answers.ts';
import { type AnyContext, callerOf, originOf, type Services } from '../context.ts';
import { bodyChunks } from '../middleware/body.ts';
import { isCsv } from '../middleware/csv-body.ts';
import { periodOf } from '../period.ts';
import type { Register, RouteContext } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, many, one, refusals } from '../schemas/envelope.ts';
import {
  Reconciled,
  ReconcileQuery,
  Reconciliation,
  ReconciliationBody,
  ReconciliationLineQuery,
  ReconciliationQuery,
  ReconciliationWithLines,
  SettlementCsv,
} from '../schemas/finance-reads.ts';

const PATH = '/api/production/financial/reconciliations';
const tags = ['Finance'];
const example = { gatewayId: 'gateway-123', from: '2024-02-01', to: '2024-02-01' };

const start = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Compare the ledger with a gateway’s own record, or with its settlement file',
  request: {
    query: ReconcileQuery,
    body: {
      // Which of the two it is, and that it is there, is seen to where the body is read.
      required: false,
      content: {
        'application/json': { schema: ReconciliationBody, example },
        'text/csv': { schema: SettlementCsv },
      },
    },
  },
  responses: {
    200: answer('It had been done before', one(Reconciled)),
    201: answer('Compared', one(Reconciled)),
    ...bodyRefusals('GATEWAY_UNKNOWN', 'SETTLEMENT_FILE_INVALID', 'CARD_DATA_FORBIDDEN', 'GATEWAY_UNAVAILABLE'),
  },
});
const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List reconciliations, newest first',
  request: { query: ReconciliationQuery },
  responses: {
    200: answer('A page of reconciliations', many(Reconciliation)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR', 'GATEWAY_UNKNOWN'),
  },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get a reconciliation with its lines, or its lines as CSV',
  request: { params: IdParam, query: ReconciliationLineQuery },
  responses: {
    200: answer('The reconciliation', one(ReconciliationWithLines)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR', 'NOT_FOUND'),
  },
});

export function registerReconciliations(register: Register, services: Services): void {
  const { db } = services;
  register.mutation(start, async (c, once) => {
    const { digest, order } = isCsv(c) ? await fileOrder(c, services) : await gatewayOrder(c, services);
    const compare = async (tx: Tx): Promise<Response> => {
      const done = await reconcileWithin(tx, order);
      if (!done.replayed) c.header('Location', `${PATH}/${done.id}`);
      c.header('Content-Type', 'application/json; charset=utf-8');
      return c.body(JSON.stringify({ success: true, data: done }), done.replayed ? 200 : 201);
    };
    return digest === null ? once.change(compare) : once.changeBy(digest, compare);
  });
  register(list, (c) =>
    page(c, services, 'reconciliations', c.req.valid('query'), async (filter, at) => {
      const listed = await listReconciliations(db, filter, at);
      // Of a gateway that was taken out of service there may be some: only what names nothing at all is refused.
      if (filter.gatewayId !== undefined && listed.items.length === 0) services.ports.gateway(filter.gatewayId);
      return listed;
    }),
  );
  register(read, async (c) => {
    const { id } = c.req.valid('param');
    const { limit, cursor, format, ...filter } = c.req.valid('query');
    const reconciliation = await getReconciliation(db, id);
    if (format === 'csv') return csvOf(c, services, id, filter);
    const name = `reconciliation ${id}`;
    const after = cursor === undefined ? null : services.cursors.open(name, filter, cursor);
    const { items, next } = await reconciliationLines(db, id, filter, { after, limit });
    const nextCursor = next ? services.cursors.seal(name, filter, next) : null;
    return found(c, { ...reconciliation, lines: items, nextCursor });
  });
}

/** 31 days, and the hour by which the clock may be put back in them. */
const MAX_PERIOD_MS = (31 * 24 + 1) * 3_600_000;

type StartContext = RouteContext<typeof start>;

/** The record to compare with; the digest stands for a file in the key's hash. */
interface Asked {
  readonly digest: string | null;
  readonly order: ReconcileOrder;
}

async function gatewayOrder(c: StartContext, services: Services): Promise<Asked> {
  const { ports } = services;
  const parsed = ReconciliationBody.parse(c.req.valid('json'));
  const [stray] = Object.keys(c.req.query());
  if (stray !== undefined) throw invalid(stray, 'belongs to a file: with JSON it stands in the body');
  const period = await periodOf(c, services, parsed, 'refused');
  const [from, to] = [new Date(period.from ?? ''), new Date(period.to ?? '')];
  if (to.getTime() - from.getTime() > MAX_PERIOD_MS) {
    throw invalid('to', 'must be within 31 days of from');
  }
  const { principal } = callerOf(c);
  // Asked again without a key, it is done again: what was missing may have come.
  const key = c.req.header('idempotency-key') ?? c.get('requestId');
  const order = await orderByGateway(services.db, ports, {
    gatewayId: parsed.gatewayId,
    from,
    to,
    occasion: `asked-${principal}-${parsed.gatewayId}-${key}`,
    startedBy: principal,
    origin: originOf(c),
  });
  return { digest: null, order };
}

async function fileOrder(c: StartContext, services: Services): Promise<Asked> {
  const { ports } = services;
  const query = c.req.valid('query');
  const { gatewayId } = query;
  if (gatewayId === undefined) throw invalid('gatewayId', 'is required with a file');
  ports.gateway(gatewayId);
  if (!c.req.raw.body) throw new RoomyError('MALFORMED_REQUEST', { text: 'The body is empty' });
  const { from, to } = await periodOf(c, services, query);
  const chunks = bodyChunks(c, MAX_SETTLEMENT_BYTES, 'The file is larger than 5 MiB');
  const file = await readSettlementFile(chunks, query.zone ?? services.agencyTimeZone);
  const period = {
    from: from === undefined ? file.from : new Date(from),
    to: to === undefined ? file.to : new Date(to),
  };
  // Nothing compared would look like nothing wrong.
  if (!file.movements.some(({ at }) => at >= period.from && at < period.to)) {
    throw new RoomyError('VALIDATION_FAILED', { text: 'No line of the file lies between from and to' });
  }
  const order = {
    ...period,
    gatewayId,
    source: 'CSV' as const,
    movements: file.movements,
    occasion: `file-${gatewayId}-${file.sha256}`,
    startedBy: callerOf(c).principal,
    origin: originOf(c),
  };
  return { digest: file.sha256, order };
}

const invalid = (field: string, message: string): RoomyError =>
  new RoomyError('VALIDATION_FAILED', { details: { issues: [{ path: field, message }] } });

const EXPORT_PAGE = 1_000;
const MAX_EXPORT_PAGES = 101;
const COLUMNS = [
  'line',
  'kind',
  'reference',
  'currency',
  'ledgerAmount',
  'gatewayAmount',
  'status',
  'transactionId',
  'ledgerFee',
  'gatewayFee',
  'differs',
  'differenceStatus',
  'reason',
] as const satisfies readonly (keyof ReconciliationLineView)[];
/** `FEE 29 / 31.5`: what differs, as the ledger has it and as the gateway does. */
const cellsOf = (item: ReconciliationLineView): readonly (string | number | null)[] =>
  COLUMNS.map((column) =>
    column === 'differs'
      ? item.differs.map(({ what, ledger, gateway }) => `${what} ${ledger ?? '-'} / ${gateway ?? '-'}`).join('; ')
      : item[column],
  );

async function csvOf(
  c: AnyContext,
  { db }: Services,
  id: string,
  filter: Parameters<typeof reconciliationLines>[2],
): Promise<Response> {
  let text = csvLine(COLUMNS);
  let after: Parameters<typeof reconciliationLines>[3]['after'] = null;
  for (let round = 0; round < MAX_EXPORT_PAGES; round += 1) {
    const { items, next } = await reconciliationLines(db, id, filter, { after, limit: EXPORT_PAGE });
    text += items.map((item) => csvLine(cellsOf(item))).join('');
    if (!next) break;
    after = next;
  }
  c.header('Content-Type', 'text/csv; charset=utf-8');
  c.header('Content-Disposition', `attachment; filename="${id}.csv"`);
  c.header('X-Content-Type-Options', 'nosniff');
  return c.body(text, 200);
}
