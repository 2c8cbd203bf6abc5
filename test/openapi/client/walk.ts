import createClient from 'openapi-fetch';
import type { paths, webhooks } from './paths.ts';

/** The program of an integrator with nothing but the generated types: the brief's requests, in the order of a stay. */

export interface WalkOptions {
  readonly baseUrl: string;
  readonly token: string;
  readonly stay: string;
  readonly rival: string;
  readonly hookUrl: string;
}
export type Confirmed = webhooks['reservation.confirmed']['post']['requestBody']['content']['application/json'];

/** Throws at the first answer that is not as it should be; gives back what each request said. */
export async function walk({ baseUrl, token, stay, rival, hookUrl }: WalkOptions) {
  const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } });
  const path = { id: stay };
  const key = (name: string) => ({ 'Idempotency-Key': `walk-${name}` });
  const answered: string[] = [];
  const good = <T>(name: string, { data, error }: { data?: T; error?: unknown }): NonNullable<T> => {
    if (data === undefined || data === null) throw new Error(`${name}: ${JSON.stringify(error)}`);
    answered.push(name);
    return data;
  };

  const hook = good(
    'createWebhookEndpoint',
    await client.POST('/api/production/webhook-endpoints', { body: { url: hookUrl, types: ['reservation.*'] } }),
  );
  good(
    'confirm',
    await client.POST('/api/production/reservations/{id}/confirm', {
      params: { path, header: key('confirm') },
      body: { confirmedBy: 'agent-1', notes: 'Confirmed after availability check' },
    }),
  );
  const status = good(
    'status',
    await client.GET('/api/production/sagas/{name}/status', { params: { path: { name: 'confirmReservation' } } }),
  );
  const declined = await client.POST('/api/production/reservations/{id}/payment', {
    params: { path, header: key('declined') },
    body: { amount: 1000, currency: 'AED', gatewayId: 'gateway-123', gatewayReference: 'ref-insufficient-funds' },
  });
  if (declined.error === undefined) throw new Error('the payment was not declined');
  const payment = good(
    'payment',
    await client.POST('/api/production/reservations/{id}/payment', {
      params: { path, header: key('payment') },
      body: {
        amount: 1000,
        currency: 'AED',
        paymentMethod: 'Credit Card',
        gatewayId: 'gateway-123',
        gatewayReference: 'ref-456',
      },
    }),
  );
  if (!('guestPayment' in payment.data)) throw new Error('the payment goes on');
  good(
    'check-in',
    await client.POST('/api/production/reservations/{id}/check-in', {
      params: { path, header: key('check-in') },
      body: { checkedInBy: 'agent-1', notes: 'Passport seen' },
    }),
  );
  good(
    'check-out',
    await client.POST('/api/production/reservations/{id}/check-out', {
      params: { path, header: key('check-out') },
      body: {},
    }),
  );
  const payouts = good(
    'transactions',
    await client.GET('/api/production/transactions', {
      params: { query: { reservationId: stay, type: 'OWNER_PAYOUT' } },
    }),
  );
  const payoutId = payouts.data[0]?.id ?? '';
  good(
    'payout',
    await client.POST('/api/production/transactions/{id}/payout', {
      params: { path: { id: payoutId }, header: key('payout') },
      body: {},
    }),
  );
  good(
    'cancel',
    await client.POST('/api/production/reservations/{id}/cancel', {
      params: { path: { id: rival }, header: key('cancel') },
      body: { cancelledBy: 'agent-1', reason: 'GUEST_REQUEST' },
    }),
  );
  const tasks = good(
    'tasks',
    await client.GET('/api/production/tasks', { params: { query: { reservationId: stay } } }),
  );
  const cleaning = tasks.data.find(
    ({ status: at, type }) => type === 'CLEANING' && at !== 'CANCELLED' && at !== 'COMPLETED',
  );
  const completed = good(
    'complete',
    await client.POST('/api/production/tasks/{id}/complete', {
      params: { path: { id: cleaning?.id ?? '' } },
      body: { notes: 'All clean', minutes: 95 },
    }),
  );
  good('statistics', await client.GET('/api/production/tasks/statistics'));
  const summary = good('summary', await client.GET('/api/production/financial/summary'));
  const terms = await client.GET('/api/production/financial/income-distribution');
  good('income-distribution', terms);
  good(
    'set income-distribution',
    await client.PUT('/api/production/financial/income-distribution', {
      params: { header: { 'If-Match': terms.response.headers.get('etag') ?? '' } },
      body: { ownerIncome: 60, roomyAgencyFee: 30, referringAgent: 10 },
    }),
  );
  const first = good('sagas', await client.GET('/api/production/sagas', { params: { query: { limit: 2 } } }));
  const second = good(
    'sagas, page 2',
    await client.GET('/api/production/sagas', {
      params: { query: { limit: 2, ...(first.nextCursor === null ? {} : { cursor: first.nextCursor }) } },
    }),
  );
  return {
    told: answered,
    secret: hook.data.secret,
    sagaStatus: status.data.status,
    declined: {
      status: declined.response.status,
      code: declined.error.code,
      gatewayError: declined.error.details?.['gatewayError'],
    },
    shares: [payment.data.guestPayment.amount, payment.data.ownerPayout?.amount, payment.data.agencyFee?.amount],
    completed: completed.data.status,
    received: summary.data.currencies.map((sums) => ('received' in sums ? sums.received : null)),
    pages: [first.data.map(({ id }) => id), second.data.map(({ id }) => id)],
  };
}
