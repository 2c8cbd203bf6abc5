import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { numberEvents } from '../../src/domain/events/feed.ts';
import { deliverWebhooks } from '../../src/domain/webhooks/deliver.ts';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { noOutages } from '../../src/kernel/outages.ts';
import { tokenFor } from '../http/harness.ts';
import { prepareStays, seedRivals } from '../sagas/confirmation.ts';
import { type System, startSystem } from '../setup/system.ts';
import { type Served, serveApp } from '../work/browser.ts';
import { createContract, objectAt } from './contract.ts';
import { generateClientTypes } from './generate-client.ts';

/** A client that is made from the served document alone: it compiles strictly, and does what the brief shows. */

const ROOT = path.join(import.meta.dirname, '../..');
const OPTIONS = ['--strict', '--noUncheckedIndexedAccess', '--exactOptionalPropertyTypes', '--verbatimModuleSyntax'];
let system: System;
let served: Served;
let consumer: Server;
let folder: string;
const received: { readonly body: string; readonly headers: Record<string, string> }[] = [];

beforeAll(async () => {
  consumer = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      received.push({ body: Buffer.concat(chunks).toString(), headers });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => {
    consumer.listen(0, '127.0.0.1', resolve);
  });
  const { port } = consumer.address() as AddressInfo;
  system = await startSystem(undefined, {
    webhooks: createWebhookSender({ clock: systemClock, allowed: [`127.0.0.1:${port}`] }),
  });
  await prepareStays(system.bed.db);
  await system.bed.db.updateTable('owner').set({ payout_account: 'acct-owner-1' }).execute();
  served = await serveApp((await system.as({})).app);
  // Inside the project, so that its packages are found.
  await mkdir(path.join(ROOT, '.roomy'), { recursive: true });
  folder = await mkdtemp(path.join(ROOT, '.roomy/client-'));
}, 120_000);
afterAll(async () => {
  await served?.close();
  await system?.close();
  await new Promise<void>((resolve) => consumer.close(() => resolve()));
  await rm(folder, { recursive: true, force: true });
});

it('compiles and does the brief’s requests, a declined payment, a page of a list and a verified webhook', {
  timeout: 120_000,
}, async () => {
  const answered: unknown = await (await fetch(`${served.url}/openapi.json`)).json();
  const document = objectAt(answered);
  await writeFile(path.join(folder, 'paths.ts'), await generateClientTypes(document));
  await copyFile(path.join(import.meta.dirname, 'client/walk.ts'), path.join(folder, 'walk.ts'));
  const compiler = path.join(ROOT, 'node_modules/typescript/bin/tsc');
  const compiled = await promisify(execFile)(
    process.execPath,
    [
      compiler,
      '--noEmit',
      '--ignoreConfig',
      '--module',
      'nodenext',
      '--target',
      'esnext',
      '--allowImportingTsExtensions',
      '--skipLibCheck',
      ...OPTIONS,
      'walk.ts',
    ],
    { cwd: folder },
  ).catch((error: { stdout: string }) => error);
  expect(compiled.stdout).toBe('');

  const { walk } = await import(path.join(folder, 'walk.ts'));
  const [stay = '', rival = ''] = await seedRivals(system.bed.db, 2);
  const { port } = consumer.address() as AddressInfo;
  const token = await tokenFor({ role: 'ADMIN' }, 'admin-1');
  const outcome = await walk({ baseUrl: served.url, token, stay, rival, hookUrl: `http://127.0.0.1:${port}/hook` });
  expect(outcome).toMatchObject({
    declined: { status: 402, code: 'PAYMENT_DECLINED', gatewayError: 'INSUFFICIENT_FUNDS' },
    sagaStatus: 'completed',
    shares: [1000, 700, 250],
    completed: 'COMPLETED',
    received: [1000],
  });
  expect(outcome.told).toHaveLength(17);
  const ids: string[] = outcome.pages.flat();
  expect([ids.length, new Set(ids).size]).toEqual([4, 4]);

  const { db } = system.bed;
  await numberEvents(db);
  await deliverWebhooks({
    db,
    sender: createWebhookSender({ clock: systemClock, allowed: [`127.0.0.1:${port}`] }),
    random: () => 0.5,
    outages: noOutages,
  });
  const contract = createContract(document);
  const types = received.map(({ body, headers }) => {
    const event = objectAt(new Webhook(outcome.secret).verify(body, headers));
    const hook = contract.operations.find(({ isWebhook, path: name }) => isWebhook && name === event['type']);
    const schema = objectAt(hook?.operation, 'requestBody', 'content', 'application/json')['schema'];
    expect(contract.problem(schema, event), body).toBeNull();
    return event['type'];
  });
  expect(types).toContain('reservation.confirmed');
});
