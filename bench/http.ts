import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { codeOf } from '../scripts/services/process.ts';

/** Requests to the API as a client sends them: kept connections, a bearer token, a key for each. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}
export interface Client {
  readonly post: (path: string, body: unknown) => Promise<Answer>;
  readonly get: (path: string) => Promise<Answer>;
  readonly close: () => void;
}

const ANSWER_WITHIN_MS = 70_000;
const MAX_SOCKETS = 2_048;

/** `token` answers one that is valid now. */
export function createClient(port: number, token: () => Promise<string>): Client {
  const agent = new http.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const ask = (method: string, path: string, headers: Readonly<Record<string, string>>, body: string) =>
    again(async () =>
      request({ agent, port, method, path, headers: { Authorization: `Bearer ${await token()}`, ...headers } }, body),
    );
  return {
    post: (path, body) => {
      const text = JSON.stringify(body);
      const headers = {
        'Content-Type': 'application/json',
        'Content-Length': String(Buffer.byteLength(text)),
        'Idempotency-Key': randomUUID(),
      };
      return ask('POST', path, headers, text);
    },
    get: (path) => ask('GET', path, {}, ''),
    close: () => agent.destroy(),
  };
}

/** A connection that the server closed just when it was used again: asked once more, under the same key. */
async function again(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (codeOf(error) !== 'ECONNRESET') throw error;
    return await ask();
  }
}

function request(options: http.RequestOptions, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = http.request({ host: '127.0.0.1', timeout: ANSWER_WITHIN_MS, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.on('error', reject);
    sent.end(body);
  });
}

export const isReady = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    http
      .get({ host: '127.0.0.1', port, path: '/readyz' }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      })
      .on('error', () => resolve(false));
  });
