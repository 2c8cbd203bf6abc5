import { z } from '@hono/zod-openapi';
import type { LiveSession } from '../../domain/people/sessions.ts';
import { type ErrorCode, isErrorCode, RoomyError } from '../../kernel/errors.ts';
import type { AnyContext, App, Services } from '../context.ts';
import { withinRequest } from '../inner-requests.ts';
import { mintToken } from '../mint.ts';
import { permits, policyOf } from '../policy.ts';
import { PLAN_TYPE } from '../schemas/rehearsals.ts';

/**
 * The console asks the API for everything, as the person who is signed in: one table of rights, one set of masks and one trail
 * decide about both, so that no page can show or do what the API would not. The requests never leave the process.
 */
export interface ConsoleApi {
  /** Whether the person may call it at all; a page leaves out what they may not. `pattern`: below the root of the API. */
  may(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', pattern: string): boolean;
  /** The data of an answer. `path`: below the root of the API. Throws what the API refuses with. */
  get<Schema extends z.ZodType>(path: string, data: Schema): Promise<z.output<Schema>>;
  /** The text of an answer that is no JSON. */
  text(path: string): Promise<string>;
  /** A page of a list. */
  list<Schema extends z.ZodType>(path: string, item: Schema): Promise<Listed<z.output<Schema>>>;
  /** What an act would do; nothing is done, and no key is taken. Throws what the act would be refused with. */
  rehearse<Schema extends z.ZodType>(
    path: string,
    body: object,
    plan: Schema,
    method?: 'POST' | 'PATCH',
  ): Promise<z.output<Schema>>;
  /** An act, once for each key. Throws what the API refuses with. */
  act(path: string, body: object | null, key: string, method?: 'POST' | 'PATCH' | 'DELETE'): Promise<Acted>;
}
export interface Listed<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
  /** Whatever else the answer has beside its items. */
  readonly rest: Readonly<Record<string, unknown>>;
}
export interface Acted {
  readonly status: number;
  /** Of a saga that has not ended yet. */
  readonly sagaId: string | null;
  readonly data: unknown;
}

const API = '/api/production';
const TOKEN_SECONDS = 60;
/** They say who calls by another way, or belong to the page's own request. */
const OF_THE_PAGE = [
  'cookie',
  'content-type',
  'content-length',
  'accept',
  'accept-language',
  'if-none-match',
  'traceparent',
];

const Failed = z.object({ error: z.string(), code: z.string(), details: z.record(z.string(), z.unknown()).optional() });
const Answered = z.looseObject({ data: z.unknown() });
const Started = z.looseObject({ sagaExecutionId: z.string() });

/** The API as the person of a session sees it. */
export function consoleApi(c: AnyContext, app: App, services: Services, session: LiveSession): ConsoleApi {
  let token: Promise<string> | undefined;
  const tokenOf = (): Promise<string> =>
    (token ??= mintToken(services.jwt, services.clock, {
      sub: session.account.principal,
      grant: { role: session.account.role },
      lifetimeSeconds: TOKEN_SECONDS,
      sid: session.id,
    }));
  const send = async (method: string, path: string, more: Readonly<Record<string, string>>, body?: object) => {
    const headers = new Headers(c.req.raw.headers);
    for (const name of OF_THE_PAGE) headers.delete(name);
    headers.set('authorization', `Bearer ${await tokenOf()}`);
    headers.set('accept', 'application/json');
    for (const [name, value] of Object.entries(more)) headers.set(name, value);
    const request = new Request(new URL(`${API}${path}`, c.req.url), {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await app.request(withinRequest(request, c.get('requestId')), undefined, c.env);
    if (answer.status >= 400) throw refusalIn(await answer.json());
    return answer;
  };
  const call = async (...request: Parameters<typeof send>) => {
    const answer = await send(...request);
    return { status: answer.status, body: Answered.parse(await answer.json()) };
  };
  return {
    may: (method, pattern) => {
      const policy = policyOf(method, `${API}${pattern}`);
      const { principal, role } = session.account;
      return policy === 'anonymous' || permits(policy, { kind: 'person', principal, role });
    },
    get: async (path, data) => data.parse((await call('GET', path, {})).body.data),
    text: async (path) => (await send('GET', path, {})).text(),
    list: async (path, item) => {
      const { data, nextCursor, ...rest } = (await call('GET', path, {})).body;
      const next = typeof nextCursor === 'string' ? nextCursor : null;
      return { items: z.array(item).parse(data), next, rest };
    },
    rehearse: async (path, body, plan, method = 'POST') => {
      const more = { 'content-type': 'application/json', accept: PLAN_TYPE };
      return plan.parse((await call(method, `${path}?dryRun=true`, more, body)).body.data);
    },
    act: async (path, body, key, method = 'POST') => {
      const more = { ...(body === null ? {} : { 'content-type': 'application/json' }), 'idempotency-key': key };
      const { status, body: answered } = await call(method, path, more, body ?? undefined);
      const { data } = answered;
      return { status, sagaId: Started.safeParse(data).data?.sagaExecutionId ?? null, data };
    },
  };
}

/** Null for who may not ask for it. `pattern`: of the GET that decides. */
export const partOf = async <Part>(
  api: ConsoleApi,
  pattern: string,
  read: () => Promise<Part>,
): Promise<Part | null> => (api.may('GET', pattern) ? read() : null);

/** The refusal as it was thrown behind the API. */
function refusalIn(body: unknown): RoomyError {
  const failed = Failed.safeParse(body).data;
  if (failed === undefined) return new RoomyError('INTERNAL_ERROR');
  const code: ErrorCode = isErrorCode(failed.code) ? failed.code : 'INTERNAL_ERROR';
  const sagaId = z.object({ sagaExecutionId: z.string() }).safeParse(body).data?.sagaExecutionId;
  return new RoomyError(code, {
    text: failed.error,
    details: { ...failed.details, ...(sagaId === undefined ? {} : { sagaExecutionId: sagaId }) },
  });
}

/** A query with those parameters that have a value. */
export function queryOf(parameters: Readonly<Record<string, string | undefined>>): string {
  const set = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, value]],
  );
  return set.length === 0 ? '' : `?${new URLSearchParams(set)}`;
}
