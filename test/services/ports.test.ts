import { once } from 'node:events';
import net from 'node:net';
import os from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { choosePort } from '../../scripts/services/ports.ts';
import { freePort } from '../../scripts/services/process.ts';

/** Ports that somebody else has when `npm start` begins. */

const open: net.Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function take(port: number, host: string): Promise<void> {
  const server = net.createServer().listen(port, host);
  open.push(server);
  await once(server, 'listening');
}
/** Free itself, and 100 above it. */
async function standardPort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const port = await freePort();
    if (port > 60_000) continue;
    const said: string[] = [];
    if (
      (await choosePort({ name: 'PORT', standard: port + 100, host: '0.0.0.0' }, (line) => said.push(line), '')) ===
      port + 100
    )
      return port;
  }
  throw new Error('no two free ports');
}
/** A machine without IPv6 has nobody who listens there. */
const hosts = ['0.0.0.0', '127.0.0.1', ...(hasIpv6() ? ['::', '::1'] : [])];
function hasIpv6(): boolean {
  return Object.values(os.networkInterfaces()).some((found) => found?.some(({ address }) => address === '::1'));
}
const wanted = (standard: number) => ({ name: 'PORT', standard, host: '0.0.0.0' });

describe('a port of npm start', () => {
  it('is the standard one, without a word', async () => {
    const standard = await standardPort();
    const said: string[] = [];
    expect(await choosePort(wanted(standard), (line) => said.push(line), '')).toBe(standard);
    expect(said).toEqual([]);
  });

  it.each(hosts)('is another one, and said, when somebody listens on %s', async (host) => {
    const standard = await standardPort();
    await take(standard, host);
    const said: string[] = [];
    expect(await choosePort(wanted(standard), (line) => said.push(line), '')).toBe(standard + 100);
    expect(said).toEqual([`Port ${standard} is in use: taking ${standard + 100} instead (PORT chooses another).`]);
  });

  it('that was named is taken or refused, never changed', async () => {
    const standard = await standardPort();
    expect(await choosePort(wanted(standard), () => {}, String(standard + 100))).toBe(standard + 100);
    await take(standard + 100, '127.0.0.1');
    await expect(choosePort(wanted(standard), () => {}, String(standard + 100))).rejects.toThrow(
      `Port ${standard + 100} is already in use. Stop what listens there, or choose another: PORT=${standard + 200} npm start`,
    );
    for (const given of ['http', '-1', '65536', '30.5'])
      await expect(choosePort(wanted(standard), () => {}, given)).rejects.toThrow('PORT must be a port number.');
  });
});
