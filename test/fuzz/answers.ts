import { type Agent, request } from 'node:http';
import { PLAN_TYPE, PLANNED } from '../../src/http/schemas/rehearsals.ts';
import { API } from '../http/harness.ts';
import { type Contract, isObject, objectAt } from '../openapi/contract.ts';
import type { Input } from './inputs.ts';
import type { Field } from './subjects.ts';

/** What comes back, and what may be wrong with it. */

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Of the server, its connection and the proxy before it: no client reads them. */
const CONNECTION = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding', 'x-accel-buffering']);

/** Rejects when the connection breaks before an answer. */
export const send = (port: number, agent: Agent, { method, target, headers, body }: Input): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const fields = {
      host: `127.0.0.1:${port}`,
      ...headers,
      ...(body === null ? {} : { 'content-length': body.byteLength }),
    };
    const sent = request({ host: '127.0.0.1', port, method, path: target, headers: fields, agent }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.once('error', reject);
      answer.once('end', () => {
        const own = Object.entries(answer.headers).filter(([name]) => !CONNECTION.has(name));
        const pairs = own.map(([name, value]): [string, string] => [name, String(value)]);
        resolve({ status: answer.statusCode ?? 0, headers: new Headers(pairs), text });
      });
    });
    sent.once('error', reject);
    sent.end(body ?? undefined);
  });

/** Frames of stacks, words of Postgres and of pg, and paths of the source. */
export const LEAKS =
  /node_modules|\bat (?:async )?\S+ \(|\.ts:\d|syntax error at or near|violates \w+(?:-\w+)* constraint|(?:relation|column) ".*" does not exist|invalid input syntax|duplicate key value|bind message|pg_catalog|SELECT .* FROM|INSERT INTO|ECONNREFUSED|postgres(?:ql)?:\/\//;

/** All that is wrong with an answer; none where it is as documented. */
export function faultsOf(field: Field, input: Input, answer: Answer): readonly string[] {
  const faults: string[] = [];
  const { status, text, headers } = answer;
  if (status >= 500) faults.push(`answers ${status}`);
  if (status >= 400 && LEAKS.test(text)) faults.push('says how it is made');
  if (field.secrets.some((secret) => text.includes(secret) || JSON.stringify([...headers]).includes(secret)))
    faults.push('holds a secret');
  if (headers.get('x-content-type-options') !== 'nosniff') faults.push('has none of the headers of every answer');
  const problem = undocumented(field.contract, input, answer);
  return problem === null ? faults : [...faults, problem];
}

const ODD_HOST = /:$|:\d{6}|:99999/;
function undocumented(
  contract: Contract,
  { method, target, headers: sent }: Input,
  { status, headers, text }: Answer,
): string | null {
  const type = headers.get('content-type')?.split(';')[0]?.trim() ?? '';
  if (method === 'HEAD') return text === '' ? null : 'answers HEAD with a body';
  const isJson = type === 'application/json' || type.endsWith('+json');
  let body: unknown = text;
  if (isJson) {
    try {
      body = JSON.parse(text);
    } catch {
      return `is no JSON: ${text.slice(0, 80)}`;
    }
  }
  if (type === 'application/problem+json') return contract.problem({ $ref: '#/components/schemas/Problem' }, body);
  if (status >= 400 && type === 'application/json') {
    const isEnvelope =
      isObject(body) &&
      body['success'] === false &&
      typeof body['code'] === 'string' &&
      typeof body['requestId'] === 'string';
    if (!isEnvelope) return `refuses without an envelope: ${text.slice(0, 200)}`;
  }
  // Whose host is no name of one has not become a request of any route.
  if (isObject(body) && body['code'] === 'MALFORMED_REQUEST' && ODD_HOST.test(sent['host'] ?? '')) return null;
  const operation = contract.operationAt(method, new URL(`http://x${target.replace(/^\/+/, '/')}`).pathname);
  // An address that only looks like the operation's: it has another route, or none.
  if (operation === undefined || (isObject(body) && body['code'] === 'ROUTE_NOT_FOUND')) return null;
  if (type === PLAN_TYPE) {
    const media = objectAt(operation.operation, 'responses', '200', PLANNED, PLAN_TYPE);
    return contract.problem(objectAt(media, 'schema'), body);
  }
  // A page of a refusal, for who asks for one: no client reads a code in it.
  if (type === 'text/html' && status >= 400)
    return target.startsWith(`${API}/`) ? 'answers a program with a page' : null;
  if ((status === 204 || status === 304) && text !== '') return `answers ${status} with a body`;
  const isBare = status === 204 || status === 304;
  const declares = objectAt(operation.operation, 'responses')[String(status)] !== undefined;
  if (isBare && !declares) return `answers ${status}, which is not declared`;
  return (
    (isBare ? null : contract.problemOfAnswer(operation, status, type, body)) ??
    contract.problemOfHeaders(operation, status, headers)
  );
}
