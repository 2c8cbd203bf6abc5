import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createAccount, type FakeAccount, type Form, StripeRefusal } from './fake-stripe-account.ts';

/** A stand-in of Stripe's API that takes a request only as Stripe documents it, and keeps idempotency keys as Stripe does. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly key: string | null;
  readonly form: Readonly<Record<string, string>>;
}
/** Instead of, or `after` acting: an answer of this status, none at all, or a broken connection. */
export interface Fault {
  readonly on: RegExp;
  readonly answer: number | 'silence' | 'reset' | { readonly status: number; readonly body: string };
  readonly after?: boolean;
}
export interface FakeStripe {
  readonly url: string;
  readonly account: FakeAccount;
  readonly received: Received[];
  /** Each holds for one request. */
  readonly faults: Fault[];
  /** As 24 hours later. */
  forgetKeys(): void;
  close(): Promise<void>;
}
export const SECRET_KEY = 'sk_test_0123456789abcdef';

interface Route {
  readonly method: string;
  readonly path: RegExp;
  /** Every parameter that we may send. */
  readonly allowed: RegExp;
  readonly needs?: readonly string[];
  act(account: FakeAccount, form: Form, ids: readonly string[]): object;
}
const INTENT = '/v1/payment_intents';
const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: new RegExp(`^${INTENT}/search$`),
    allowed: /^(query|limit|expand\[\d\])$/,
    needs: ['query'],
    act: (account, form) => account.searchIntents(form),
  },
  {
    method: 'POST',
    path: new RegExp(`^${INTENT}$`),
    allowed:
      /^(amount|currency|payment_method|capture_method|automatic_payment_methods\[(enabled|allow_redirects)\]|metadata\[(key|reservationId|reference)\]|expand\[\d\])$/,
    needs: ['amount', 'currency', 'payment_method', 'metadata[key]', 'metadata[reservationId]'],
    act: (account, form) => account.createIntent(form),
  },
  {
    method: 'GET',
    path: new RegExp(`^${INTENT}/(pi_\\w+)$`),
    allowed: /^expand\[\d\]$/,
    act: (account, form, [id = '']) => account.getIntent(id, form),
  },
  {
    method: 'GET',
    path: /^\/v1\/payment_methods\/(pm_\w+)$/,
    allowed: /^$/,
    act: (account, _form, [id = '']) => account.getMethod(id),
  },
  {
    method: 'POST',
    path: new RegExp(`^${INTENT}/(pi_\\w+)$`),
    allowed: /^(metadata\[\w{1,40}\]|expand\[\d\])$/,
    act: (account, form, [id = '']) => account.updateIntent(id, form),
  },
  {
    method: 'POST',
    path: new RegExp(`^${INTENT}/(pi_\\w+)/(confirm|capture)$`),
    allowed: /^expand\[\d\]$/,
    act: (account, form, [id = '', move = '']) => account.moveIntent(id, move, form),
  },
  {
    method: 'POST',
    path: new RegExp(`^${INTENT}/(pi_\\w+)/cancel$`),
    allowed: /^(cancellation_reason|expand\[\d\])$/,
    act: (account, form, [id = '']) => account.moveIntent(id, 'cancel', form),
  },
  {
    method: 'POST',
    path: /^\/v1\/refunds$/,
    allowed: /^(charge|payment_intent|amount|metadata\[(key|reference)\])$/,
    act: (account, form) => account.createRefund(form),
  },
  {
    method: 'GET',
    path: /^\/v1\/refunds$/,
    allowed: /^(charge|limit|starting_after)$/,
    needs: ['charge'],
    act: (account, form) => account.listRefunds(form),
  },
  {
    method: 'GET',
    path: /^\/v1\/disputes$/,
    allowed: /^(charge|limit|starting_after|created\[(gte|lt)\])$/,
    act: (account, form) => account.listDisputes(form),
  },
  {
    method: 'POST',
    path: /^\/v1\/transfers$/,
    allowed: /^(amount|currency|destination|transfer_group|metadata\[key\])$/,
    needs: ['amount', 'currency', 'destination'],
    act: (account, form) => account.createTransfer(form),
  },
  {
    method: 'GET',
    path: /^\/v1\/transfers$/,
    allowed: /^(transfer_group|destination|limit)$/,
    act: (account, form) => account.listTransfers(form),
  },
  {
    method: 'GET',
    path: /^\/v1\/balance_transactions$/,
    allowed: /^(created\[(gte|lt)\]|limit|type|starting_after|expand\[\d\])$/,
    act: (account, form) => account.listBalance(form),
  },
];

interface Answer {
  readonly status: number;
  readonly body: object;
}
const refusal = (status: number, error: Readonly<Record<string, unknown>>): Answer => ({ status, body: { error } });

export async function startFakeStripe(nowSeconds: () => number): Promise<FakeStripe> {
  const account = createAccount(nowSeconds);
  const received: Received[] = [];
  const faults: Fault[] = [];
  const kept = new Map<string, { readonly body: string; readonly answer: Answer }>();

  function answerTo(method: string, path: string, form: Form): Answer {
    const route = ROUTES.find((one) => one.method === method && one.path.test(path));
    if (!route) return refusal(404, { type: 'invalid_request_error', message: `no route ${method} ${path}` });
    const unknown = [...form.keys()].find((name) => !route.allowed.test(name));
    const missing = route.needs?.find((name) => !form.has(name));
    if (unknown ?? missing) {
      return refusal(400, {
        type: 'invalid_request_error',
        code: unknown ? 'parameter_unknown' : 'parameter_missing',
        param: unknown ?? missing,
      });
    }
    try {
      return { status: 200, body: route.act(account, form, route.path.exec(path)?.slice(1) ?? []) };
    } catch (error) {
      if (error instanceof StripeRefusal) return refusal(error.status, error.body);
      throw error;
    }
  }

  function answerOnce(request: Received, text: string): Answer {
    const form = new Map(Object.entries(request.form));
    if (request.key === null) return answerTo(request.method, request.path, form);
    const known = kept.get(request.key);
    if (known && known.body !== text) return refusal(400, { type: 'idempotency_error', message: 'another body' });
    const answer = known?.answer ?? answerTo(request.method, request.path, form);
    kept.set(request.key, { body: text, answer: structuredClone(answer) });
    return answer;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const url = new URL(request.url ?? '/', 'http://stripe');
    const method = request.method ?? '';
    const text = method === 'POST' ? Buffer.concat(chunks).toString() : url.search.slice(1);
    const key = request.headers['idempotency-key'];
    const call: Received = {
      method,
      path: url.pathname,
      key: typeof key === 'string' ? key : null,
      form: Object.fromEntries(new URLSearchParams(text)),
    };
    received.push(call);
    const wrong = malformed(request, method);
    if (wrong) return send(response, wrong);
    const index = faults.findIndex(({ on }) => on.test(`${method} ${url.pathname}`));
    const [fault] = index < 0 ? [] : faults.splice(index, 1);
    if (!fault) return send(response, answerOnce(call, text));
    if (fault.after) answerOnce(call, text);
    if (fault.answer === 'silence') return;
    if (fault.answer === 'reset') return void request.socket.destroy();
    if (typeof fault.answer === 'object') return void response.writeHead(fault.answer.status).end(fault.answer.body);
    send(response, refusal(fault.answer, { type: 'api_error' }));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) =>
      send(response, refusal(500, { type: 'fake_error', message: String(error) })),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    account,
    received,
    faults,
    forgetKeys: () => kept.clear(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function malformed({ headers }: IncomingMessage, method: string): Answer | null {
  if (headers.authorization !== `Bearer ${SECRET_KEY}`)
    return refusal(401, { type: 'invalid_request_error', message: 'key' });
  const problem =
    (!/^\d{4}-\d\d-\d\d\.\w+$/.test(String(headers['stripe-version'])) && 'Stripe-Version') ||
    (headers['x-stripe-client-telemetry'] !== undefined && 'telemetry') ||
    (method === 'POST' && headers['content-type'] !== 'application/x-www-form-urlencoded' && 'Content-Type') ||
    (method === 'POST' && typeof headers['idempotency-key'] !== 'string' && 'Idempotency-Key') ||
    (String(headers['idempotency-key'] ?? '').length > 255 && 'Idempotency-Key');
  return problem ? refusal(400, { type: 'invalid_request_error', code: 'bad_request', message: problem }) : null;
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_1' });
  response.end(JSON.stringify(body));
}
