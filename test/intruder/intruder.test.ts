import fs from 'node:fs';
import path from 'node:path';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import { describeApi } from '../../src/http/openapi/document.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Http, PUBLIC_URL, recordKeeper, startHttp } from '../http/harness.ts';
import { prepareRights } from '../http/rights.ts';
import { fixtureOf, MUTATIONS } from '../http/valid-requests.ts';
import { createContract } from '../openapi/contract.ts';
import { columnsOf, differencesSeenBy, type Outcome, tryAll } from './changeable.ts';
import { readable, sendCanaries } from './readable.ts';

/**
 * An intruder with the password of the programs' account: what can be read, and what can be changed without being noticed. SECURITY.md
 * has both lists, which are made here: `npm test -- test/intruder -u` writes them anew.
 */

const DOCUMENT = path.join(import.meta.dirname, '../../SECURITY.md');
let http: Http;
let client: pg.Client;
beforeAll(async () => {
  http = await startHttp({
    closing: AbortSignal.abort(),
    sagaWaitMs: 0,
    ports: recordKeeper([]),
    webhooks: createWebhookSender({ clock: systemClock, allowed: [], resolve: async () => [] }),
  });
  const { rows } = await sql<{ name: string }>`SELECT current_database() AS name`.execute(http.db);
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${rows[0]?.name ?? ''}`;
  client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await prepareRights(http);
}, 60_000);
afterAll(async () => {
  await client?.end();
  await http?.stop();
});

const lines = (tables: Readonly<Record<string, readonly string[]>>): string =>
  Object.entries(tables)
    .map(([table, columns]) => `- \`${table}\`: ${columns.join(', ')}`)
    .join('\n');
/** The document with the list in its place. */
function withList(text: string, name: string, list: string): string {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  expect(text).toContain(begin);
  return `${text.slice(0, text.indexOf(begin))}${begin}\n\n${list}\n\n${text.slice(text.indexOf(end))}`;
}

describe('an intruder with the password of the programs’ account', () => {
  it('K7, K8: reads, and changes without being noticed, what SECURITY.md lists', { timeout: 300_000 }, async () => {
    const reads = lines(await whatIsRead());
    const changes = await whatIsChanged();
    const document = fs.readFileSync(DOCUMENT, 'utf8');
    const made = withList(withList(document, 'readable', reads), 'changeable', changes);
    await expect(made).toMatchFileSnapshot(DOCUMENT);
  });
});

async function whatIsRead(): Promise<Readonly<Record<string, readonly string[]>>> {
  const contract = createContract(describeApi(http.app, { publicUrl: PUBLIC_URL }));
  const { taken, secrets } = await sendCanaries(http, contract);
  expect(taken).toBeGreaterThan(60);
  expect(secrets.length, secrets.join()).toBeGreaterThan(3);
  await client.query('SET ROLE roomy_test_app');
  const found = await readable(client, secrets);
  await client.query('RESET ROLE');
  return found;
}

async function whatIsChanged(): Promise<string> {
  for (const endpoint of MUTATIONS) await fixtureOf(endpoint).prepare(http);
  await client.query('BEGIN');
  const before = await differencesSeenBy(client);
  await client.query('ROLLBACK');
  const outcomes = await tryAll(client, await columnsOf(client), async () =>
    [...(await differencesSeenBy(client))].some((one) => !before.has(one)),
  );
  const of = (how: Outcome['how']) => outcomes.filter((one) => one.how === how);
  expect(of('noticed').length).toBeGreaterThan(10);
  for (const table of ['audit_log', 'audit_seal', 'ledger_tx', 'ledger_entry'])
    expect(of('unnoticed').filter((one) => one.table === table)).toEqual([]);
  const found = Map.groupBy(of('unnoticed'), ({ table }) => table);
  const list = Object.fromEntries([...found].map(([table, all]) => [table, all.map(({ what }) => what)]));
  const untried = of('untried').map(({ table }) => `\`${table}\``);
  return `${lines(list)}\n- Not tried, for want of a row: ${untried.join(', ')}`;
}
