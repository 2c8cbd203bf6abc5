import { request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { App } from '../../src/http/context.ts';
import { closeServer, listen } from '../../src/listen.ts';
import { at } from './harness.ts';

/** The app at a port, for what a `Request` cannot have: any method, and a path exactly as it is written. */

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** Of the envelope of a refusal. */
  readonly code: unknown;
}
export interface Wire {
  send(method: string, path: string, headers?: Readonly<Record<string, string>>, body?: string): Promise<WireAnswer>;
  close(): Promise<unknown>;
}

export async function onWire(app: App): Promise<Wire> {
  const server = (await listen('PORT', { host: '127.0.0.1', port: 0, keepAliveMs: 5_000 }, app.fetch)) as Server;
  const { port } = server.address() as AddressInfo;
  return {
    send: (method, path, headers = {}, body = '') =>
      new Promise((resolve, reject) => {
        const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          answer.on('end', () => {
            const isJson = String(answer.headers['content-type']).startsWith('application/json');
            const code = isJson && text !== '' ? at(JSON.parse(text), 'code') : null;
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, code });
          });
        });
        sent.once('error', reject);
        sent.end(body);
      }),
    close: () => closeServer(server),
  };
}
