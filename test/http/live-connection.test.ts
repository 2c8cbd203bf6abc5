import type { Server } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeServer, listen } from '../../src/listen.ts';
import { API, type Http, startHttp, tokenFor } from './harness.ts';
import { addPerson, signInByMail } from './people.ts';

/** security.md N14: a stream of events leaves its connection to the server, as every other answer does. */

let http: Http;
let server: Server;
let headers: Readonly<Record<string, string>>;
beforeAll(async () => {
  http = await startHttp({ closing: AbortSignal.abort() });
  // Its limits are long: whatever is closed below is closed by the answer.
  const at = { host: '127.0.0.1', port: 0, keepAliveMs: 600_000 };
  server = (await listen('PORT', at, http.app.fetch)) as Server;
  const { email } = await addPerson(http.db, 'AGENT');
  const { cookie } = await signInByMail(http.app, http.db, email);
  headers = {
    [`${API}/events/stream`]: `Authorization: Bearer ${await tokenFor({ role: 'ADMIN' }, 'listener')}`,
    '/console/live?about=day': `Cookie: ${cookie}`,
  };
}, 60_000);
afterAll(async () => {
  if (server) await closeServer(server);
  await http?.stop();
});

/** All that comes until the server closes. */
const exchange = (bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
    });
    socket.once('error', reject).once('close', () => resolve(text));
  });

describe.each([`${API}/events/stream`, '/console/live?about=day'])('%s', (path) => {
  const head = (version: string, ...more: readonly string[]): string =>
    [`GET ${path} HTTP/${version}`, 'Host: x', headers[path] ?? '', ...more, '', ''].join('\r\n');

  it('N14: closes the connection where the client asks for it', async () => {
    const answer = await exchange(head('1.1', 'Connection: close'));
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
  });

  it('N14: closes it behind a body that nobody has read, and answers once', async () => {
    const answer = await exchange(`${head('1.1', 'Content-Length: 100')}GET / HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
  });

  it('N14: sends no chunks to a client that does not know them', async () => {
    const answer = await exchange(head('1.0'));
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).not.toMatch(/transfer-encoding/i);
  });
});
