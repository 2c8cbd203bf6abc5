import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { createAnswerWatcher } from '../../src/engine/waiter.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/** The connection on which a process hears of answers, at its end. Sockets are counted on the way to the server. */

let database: TestDatabase;
let db: Db;
let relay: net.Server;
let url: string;
let opened = 0;
let closed = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'watcher-test' }));
  const server = new URL(database.url);
  relay = net.createServer((client) => {
    opened += 1;
    client.on('close', () => {
      closed += 1;
    });
    const upstream = net.connect(Number(server.port), server.hostname);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const { port } = relay.address() as net.AddressInfo;
  const through = new URL(database.url);
  through.hostname = '127.0.0.1';
  through.port = String(port);
  url = through.href;
});
afterAll(async () => {
  relay?.close();
  await db?.destroy();
  await database?.drop();
});

const watch = () => createAnswerWatcher(db, url, createLogger('test', 'silent'));

describe('a process that ends', () => {
  it.each(['about to listen', 'listening'])('keeps no connection, when it was %s', async (state) => {
    const [openedBefore, closedBefore] = [opened, closed];
    const watcher = watch();
    const answer = watcher.wait('saga-none', 50, false);
    if (state === 'listening') await answer;
    await watcher.close();
    await answer;
    await until('it has connected, and is closed', async () =>
      opened === openedBefore + 1 && closed === closedBefore + 1 ? true : undefined,
    );
    expect(opened).toBe(openedBefore + 1);
  });
});
