import { createOrchestrator } from '../../src/engine/orchestrator.ts';
import { describeApi } from '../../src/http/openapi/document.ts';
import { POLICIES, permits } from '../../src/http/policy.ts';
import { readLimitNumbers } from '../../src/kernel/rate-limits.ts';
import { definitionOf } from '../../src/sagas/index.ts';
import { API, type Call, type Http, PUBLIC_URL, recordKeeper, startHttp, tokenFor } from '../http/harness.ts';
import { addPerson, signInByMail } from '../http/people.ts';
import { addressesOf, ENDPOINTS, type Endpoint, PEOPLE, prepareRights, serviceOf, type World } from '../http/rights.ts';
import { fixtureOf, type ValidRequest } from '../http/valid-requests.ts';
import { type Contract, createContract } from '../openapi/contract.ts';
import { startLimits, type TestLimits } from '../setup/limits.ts';

/** One system on a database of its own, every kind of caller, and one valid request for each route of the table of rights. */

export interface Caller {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
}
/** What is sent, before anything in it is spoilt. */
export interface Subject {
  /** As in the table of rights: `POST /api/production/owners`. */
  readonly name: string;
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  readonly query: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ValidRequest['body'];
  readonly raw: Buffer | null;
  /** Who may call; anybody, where the route asks for nobody in particular. */
  readonly permitted: readonly Caller[];
}
export interface Field {
  readonly subjects: readonly Subject[];
  readonly callers: readonly Caller[];
  readonly http: Http;
  readonly contract: Contract;
  /** Ids that there are, own and foreign, for paths, queries and bodies. */
  readonly ids: readonly string[];
  /** What no answer may hold. */
  readonly secrets: readonly string[];
  stop(): Promise<void>;
}

const PLENTY = 900_000_000;
const LIMITS = [
  ...['reads', 'writes', 'payments', 'streams', 'open-sagas', 'service-reads', 'service-writes', 'service-payments'],
  ...['service-streams', 'service-open-sagas', 'failures', 'sign-in', 'links', 'webhooks', 'pages'],
]
  .map((name) => `${name}=${PLENTY}`)
  .join(',');

/** The whole API without workers, so that nothing changes but by a request; limits are the product's own, raised by its setting. */
export async function startField(): Promise<Field> {
  const numbers = readLimitNumbers(LIMITS);
  if (numbers === null) throw new Error(LIMITS);
  const limits: TestLimits = await startLimits(numbers);
  const http = await startHttp(
    {
      limits,
      closing: AbortSignal.abort(),
      sagaWaitMs: 0,
      ports: recordKeeper([]),
      webhooks: {
        refusalOf: async () => null,
        send: async () => ({ taken: true, statusCode: 204, reason: null, ms: 1 }),
      },
    },
    (db) => ({
      orchestrator: createOrchestrator({
        db,
        watcher: { wait: async () => null, close: async () => undefined },
        publish: () => undefined,
        onAnswer: () => undefined,
        definitionOf,
      }),
    }),
  );
  const stop = async (): Promise<void> => {
    await http.stop();
    await limits.limiter.close();
  };
  try {
    const world = await prepareRights(http);
    const callers = await callersOf(http);
    const subjects = await subjectsOf(http, world, callers);
    const contract = createContract(describeApi(http.app, { publicUrl: PUBLIC_URL }));
    const ids = [...new Set([...Object.values(world.ids), 'property-9', 'guest-9', 'owner-9', 'stay-9', 'cleaner-9'])];
    return { subjects, callers: callers.all, http, contract, ids, secrets: SECRETS, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The keys of `JWT` in the tests' harness. */
const SECRETS: readonly string[] = [
  'a-new-secret-of-forty-characters-0123456',
  'an-old-secret-of-forty-characters-012345',
];

interface Callers {
  readonly all: readonly Caller[];
  readonly anonymous: Caller;
  readonly browsers: readonly Caller[];
  readonly of: (endpoint: Endpoint) => readonly Caller[];
}
async function callersOf(http: Http): Promise<Callers> {
  const bearer = async (name: string, { as, sub = 'admin-1' }: Call): Promise<Caller> => {
    const grant = typeof as === 'string' ? { role: as } : as;
    if (grant === null || grant === undefined) throw new Error(name);
    return { name, headers: { authorization: `Bearer ${await tokenFor(grant, sub)}` } };
  };
  const anonymous: Caller = { name: 'anonymous', headers: {} };
  const own = new Map<string, Caller>();
  const strangers: Caller[] = [];
  const browsers: Caller[] = [];
  for (const kind of PEOPLE) {
    own.set(kind.name, await bearer(kind.name, kind.own));
    if (kind.stranger !== null) strangers.push(await bearer(`${kind.name} (stranger)`, kind.stranger));
    const { email } = await addPerson(http.db, kind.role ?? 'ADMIN');
    const { cookie } = await signInByMail(http.app, http.db, email);
    browsers.push({ name: `${kind.name} (browser)`, headers: { cookie, 'sec-fetch-site': 'same-origin' } });
  }
  const scopes = new Map<string, Caller>();
  for (const endpoint of ENDPOINTS) {
    const { permission } = endpoint.policy;
    if (!scopes.has(permission)) scopes.set(permission, await bearer('service', serviceOf(endpoint).own));
  }
  const nothing = await bearer('service (no scope)', { as: { scope: 'nothing:at-all' }, sub: 'desk-1' });
  return {
    anonymous,
    browsers,
    all: [anonymous, ...own.values(), ...strangers, ...browsers, ...scopes.values(), nothing],
    of: ({ policy }) => [
      ...PEOPLE.flatMap(({ name, role, own: { sub } }) =>
        role !== null && permits(policy, { kind: 'person', principal: String(sub), role }) ? (own.get(name) ?? []) : [],
      ),
      ...(policy.service ? [scopes.get(policy.permission) ?? nothing] : []),
    ],
  };
}

async function subjectsOf(http: Http, world: World, callers: Callers): Promise<readonly Subject[]> {
  const admin = PEOPLE.find(({ role }) => role === 'ADMIN');
  const subjects: Subject[] = [];
  for (const endpoint of ENDPOINTS) {
    const { name, method } = endpoint;
    const kind = PEOPLE.find(({ role }) => role !== null && endpoint.policy.roles.includes(role)) ?? admin;
    if (kind === undefined) throw new Error(name);
    const request: ValidRequest =
      method === 'GET' ? { path: addressesOf(endpoint, world, kind).own } : await fixtureOf(name).prepare(http);
    const [path = '', query = ''] = request.path.split('?');
    const type: Record<string, string> = request.body === undefined ? {} : { 'content-type': 'application/json' };
    subjects.push({
      name,
      method,
      path,
      query: query === '' ? [] : query.split('&'),
      headers: { ...type, ...request.headers },
      body: request.body,
      raw:
        request.raw instanceof Uint8Array || typeof request.raw === 'string'
          ? Buffer.from(request.raw as string)
          : null,
      permitted: callers.of(endpoint),
    });
  }
  const pages = Object.keys(POLICIES).filter((name) => POLICIES[name] === 'anonymous');
  return [...subjects, ...pages.map((name) => page(name, world, callers))];
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
/** Ids of pages by the word before them, where it is not that of the API. */
const PAGE_IDS: Readonly<Record<string, string>> = {
  stays: 'stay-own',
  messages: 'message-own',
  texts: 'reservation-confirmed.guest@1',
  metrics: 'payments',
  endpoints: 'hook-own',
  webhooks: 'sandbox',
  problems: 'NOT_FOUND',
};
/** A page, a form of one, or a call of a provider: the proof is in what is sent, and mostly missing. */
function page(name: string, world: World, callers: Callers): Subject {
  const [method = '', pattern = ''] = name.split(' ');
  const idAfter = (noun: string): string => PAGE_IDS[noun] ?? world.ids[noun] ?? 'x'.repeat(43);
  const path = pattern.replaceAll(/([^/]+)\/:[a-zA-Z]+/g, (_all, noun: string) => `${noun}/${idAfter(noun)}`);
  const isApi = pattern.startsWith(API);
  const isForm = method !== 'GET' && !isApi;
  return {
    name,
    method,
    path,
    query: [],
    headers: isForm ? FORM : isApi ? { 'content-type': 'application/json' } : {},
    body: isApi && method !== 'GET' ? {} : undefined,
    raw: isForm ? Buffer.from('reason=A+reason&code=123456&email=new%40example.com&name=A&step=x') : null,
    permitted: isApi ? [callers.anonymous] : [callers.anonymous, ...callers.browsers],
  };
}
