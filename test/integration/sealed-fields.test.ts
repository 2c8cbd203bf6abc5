import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type RawBuilder, sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config.ts';
import { createDb, createDbOver, createPool, type Db, poolOf } from '../../src/db/client.ts';
import { INSTALLATION, missingKey, rewrapAll } from '../../src/db/data-keys.ts';
import type { FieldKeys } from '../../src/db/field-keys.ts';
import { MIGRATION_FILE, MIGRATIONS } from '../../src/db/migrate.ts';
import { openField, sealClearValues, sealField, subjectOf } from '../../src/db/sealed-fields.ts';
import { record } from '../../src/domain/messages/delivery-isolated.ts';
import { listDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { claimDue } from '../../src/domain/messages/delivery-rows.ts';
import { notificationContent } from '../../src/domain/messages/resource.ts';
import { forgetCodes } from '../../src/domain/properties/amenities.ts';
import { secretsOf } from '../../src/domain/webhooks/deliver.ts';
import { readEndpoint } from '../../src/domain/webhooks/endpoints.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { unpacked } from '../../src/kernel/packed.ts';
import { assertFieldKeys } from '../../src/programs.ts';
import { prepareStays } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { deliverAll, keptTexts } from '../setup/deliver.ts';
import { fieldKeys } from '../setup/field-keys.ts';
import { type System, startSystem } from '../setup/system.ts';

/** Fields that stand sealed in Postgres: what a dump shows, how keys are changed, and how an earlier version's rows become sealed. */

const OWNER = {
  id: 'owner-c',
  name: 'Ownercanary Rahman',
  email: 'mailcanary-o@owners.example',
  phone: '+971509000001',
};
const GUEST = { id: 'guest-c', name: 'Guestcanary Doe', email: 'mailcanary-g@guests.example', phone: '+971509000002' };
const STAFF = { id: 'staff-c', name: 'Staffcanary Clara', email: 'mailcanary-s@staff.example', phone: '+971509000003' };
const STAY = 'stay-c';
const ACCOUNT = 'acct-canary-1';
const NEXT_ACCOUNT = 'acct-canary-2';

/** Where something of the people stands in clear still, and why. What is sealed leaves this list. */
const NOT_YET: Readonly<Record<string, string>> = {
  // Contact data: by which people are looked up and written to.
  'guest.email': 'address',
  'guest.phone': 'number',
  'owner.email': 'address',
  'owner.email_before': 'address',
  'owner.phone': 'number',
  'staff.email': 'address',
  'staff.phone': 'number',
  'account.email': 'address',
  // Answers, for as long as who asked may ask again, and until the stay they are about has been forgotten.
  'idempotency_key.accepted_body': 'address, name, number',
  'saga.response_body': 'name',
  // Names, and the words of the search.
  'account.name': 'name',
  'guest.name': 'name',
  'owner.name': 'name',
  'staff.name': 'name',
  'task.title': 'name',
  'guest_word.word': 'address, name',
  'name_word.word': 'address, name',
};

let system: System;
/** What no dump may show, by what it is. */
const canaries: Record<string, readonly string[]> = {};
let calls = 0;
const call = async (method: string, path: string, body?: object) => {
  // Answers are kept for those who ask again: they are part of what a dump shows.
  const headers = { 'idempotency-key': `canary-${++calls}` };
  const answer = await system.call(method, path, body === undefined ? {} : { body, headers });
  expect([method, path, answer.status, answer.status < 300 ? '' : answer.text]).toEqual([
    method,
    path,
    expect.toSatisfy((status: number) => status < 300),
    '',
  ]);
  return answer.body.data;
};

async function book(db: Db, id: string, from: string, to: string, guest = GUEST.id): Promise<void> {
  await db
    .insertInto('reservation')
    .values({
      id,
      property_id: 'house-c',
      guest_id: guest,
      check_in_date: from,
      check_out_date: to,
      total_minor: 100_000,
      currency: 'AED',
      created_by: 'tester',
    })
    .execute();
}

async function live(db: Db): Promise<void> {
  await prepareStays(db);
  await call('POST', '/owners', { ...OWNER, payoutAccount: ACCOUNT });
  await call('POST', '/guests', GUEST);
  await call('POST', '/staff', { ...STAFF, role: 'CLEANER' });
  await call('POST', '/accounts', { email: STAFF.email, name: STAFF.name, role: 'ADMIN' });
  await db
    .insertInto('property')
    .values({ id: 'house-c', name: 'Marina 12', owner_id: OWNER.id, amenity_device: 'lock-c' })
    .execute();
  await book(db, STAY, '2024-02-01', '2024-02-03');
  await call('POST', `/reservations/${STAY}/confirm`, {});
  const payment = { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: 'ref-canary' };
  await call('POST', `/reservations/${STAY}/payment`, payment);
  await call('POST', `/reservations/${STAY}/check-in`, {});
  await deliverAll(db, undefined, true);
  const { id } = await db
    .selectFrom('transaction')
    .select('id')
    .where('type', '=', 'OWNER_PAYOUT')
    .where('owner_id', '=', OWNER.id)
    .executeTakeFirstOrThrow();
  await call('POST', `/transactions/${id}/payout`, {});
  await call('PATCH', `/owners/${OWNER.id}`, { payoutAccount: NEXT_ACCOUNT, email: `new-${OWNER.email}` });
  await deliverAll(db, undefined, true);
}

beforeAll(async () => {
  system = await startSystem();
  const { db } = system.bed;
  await live(db);
  const hook = { url: 'https://hooks.example/canary' };
  const { id, secret } = await call('POST', '/webhook-endpoints', hook);
  const rotated = await call('POST', `/webhook-endpoints/${id}/rotate-secret`, {});
  const grant = await db.selectFrom('amenity_grant').select('access_code').executeTakeFirstOrThrow();
  const code = await openField(db, 'amenity_grant.access_code', STAY, grant.access_code);
  expect(code).toMatch(/^\d{6}$/);
  canaries['payout account'] = [ACCOUNT, NEXT_ACCOUNT];
  canaries['secret of a webhook'] = [secret, rotated.secret];
  canaries['door code'] = [String(code)];
  const people = [OWNER, GUEST, STAFF];
  canaries['name'] = people.map(({ name }) => name.split(' ')[0] ?? '');
  canaries['address'] = people.map(({ email }) => email);
  canaries['number'] = people.map(({ phone }) => phone);
}, 60_000);
afterAll(() => system?.close());

/** Every column of every table in which one of the canaries stands: as text, or in bytes. */
async function shown(db: Db): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { rows: tables } = await sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
       AND NOT c.relispartition ORDER BY 1`.execute(db);
  expect(tables.length).toBeGreaterThan(60);
  const found = new Map<string, Set<string>>();
  for (const { name } of tables) {
    const { rows } = await sql<{
      row: Record<string, unknown>;
    }>`SELECT to_jsonb(t) AS row FROM ${sql.table(name)} t`.execute(db);
    for (const { row } of rows) {
      for (const [column, value] of Object.entries(row)) {
        for (const kind of kindsIn(value)) {
          const place = `${name}.${column}`;
          found.set(place, (found.get(place) ?? new Set()).add(kind));
        }
      }
    }
  }
  return found;
}

function kindsIn(value: unknown): readonly string[] {
  const written = typeof value === 'string' ? value : JSON.stringify(value);
  const bytes = written.startsWith('\\x') ? textIn(Buffer.from(written.slice(2), 'hex')) : '';
  const text = `${written}\n${bytes}`.toLowerCase();
  return Object.entries(canaries).flatMap(([kind, all]) =>
    all.some((canary) =>
      // Six digits stand in many a moment as well.
      kind === 'door code' ? new RegExp(`(?<![\\w.])${canary}(?!\\w)`).test(text) : text.includes(canary.toLowerCase()),
    )
      ? [kind]
      : [],
  );
}

/** Text that was packed is what whoever reads it unpacks; bytes that only begin like that are themselves. */
function textIn(bytes: Buffer): string {
  try {
    return unpacked(bytes).toString('utf8');
  } catch {
    return bytes.toString('utf8');
  }
}

/** What each column that is not sealed yet shows. */
const clearPlaces = Object.entries(NOT_YET)
  .map(([place, what]) => `${place}: ${what}`)
  .toSorted();
const placesIn = async (db: Db): Promise<readonly string[]> =>
  [...(await shown(db))].map(([place, kinds]) => `${place}: ${[...kinds].toSorted().join(', ')}`).toSorted();

describe('a dump of the database', () => {
  it('K15: shows what was said of a time without keys until that is sealed, for whom it was said', async () => {
    const { db } = system.bed;
    const said = async () => (await keptTexts(db)).toSorted();
    const mails = () => listDevMail(db, { before: null, limit: 100 });
    await book(db, 'stay-clear', '2025-02-01', '2025-02-03');
    await call('POST', '/reservations/stay-clear/confirm', {});
    await deliverAll(createDbOver(poolOf(db)));
    const [texts, before] = [await said(), await mails()];
    expect(await placesIn(db)).toEqual(
      expect.arrayContaining(['dev_mail.recipient: address, number', 'notification_content.body: name']),
    );
    const counts = await sealClearValues(db, 'all');
    expect(counts?.['notification_content.body']).toBeGreaterThan(1);
    expect(counts?.['dev_mail.recipient']).toBeGreaterThan(1);
    expect(await placesIn(db)).toEqual(clearPlaces);
    expect([await said(), await mails()]).toEqual([texts, before]);
    expect(before.map(({ recipient }) => recipient)).toContain(GUEST.email);
    expect(await sealClearValues(db, 'all')).toMatchObject({ 'notification_content.body': 0, 'dev_mail.body': 0 });
    const { rows } = await sql<{ n: number }>`
      SELECT count(*)::int AS n FROM notification_content c JOIN notification n ON n.id = c.notification_id
        JOIN data_key k ON k.id = split_part(c.body, '.', 2)
       WHERE k.subject = CASE n.recipient_type WHEN 'OPS' THEN 'installation' ELSE lower(n.recipient_type) || ':' || n.recipient_id END`.execute(
      db,
    );
    expect(rows[0]?.n).toBe(texts.length);
  });

  it('K15: shows nothing of what is sealed, in any column of any table', async () => {
    expect(await placesIn(system.bed.db)).toEqual(clearPlaces);
  });
});

it('K15: a door code that nobody took back is forgotten a day after its time, however it was moved', async () => {
  const { db } = system.bed;
  const codeWith = async (until: RawBuilder<Date>, wanted: RawBuilder<Date> | null) => {
    const times = { valid_until: until, asked_until: until, wanted_until: wanted };
    await db.updateTable('amenity_grant').set(times).execute();
    const forgotten = await forgetCodes(db, 10);
    const { status, access_code } = await db.selectFrom('amenity_grant').selectAll().executeTakeFirstOrThrow();
    return [forgotten, status, access_code === null];
  };
  const ago = (text: string) => sql<Date>`now() - ${text}::interval`;
  expect(await codeWith(ago('23 hours'), null)).toEqual([0, 'ACTIVE', false]);
  expect(await codeWith(ago('3 days'), ago('-1 hour'))).toEqual([0, 'ACTIVE', false]);
  expect(await codeWith(ago('25 hours'), null)).toEqual([1, 'ACTIVE', true]);
  expect(await forgetCodes(db, 10)).toBe(0);
});

describe('a message whose recipient’s key cannot be read', () => {
  const WHO = { id: 'guest-k', name: 'Karim Doe', email: 'karim@guests.example', phone: '+971509000009' };
  const mine = (db: Db) => db.selectFrom('notification').selectAll().where('recipient_id', '=', WHO.id);
  const begin = async (stay: string, from: string, to: string): Promise<void> => {
    const { db } = system.bed;
    await book(db, stay, from, to, WHO.id);
    await call('POST', `/reservations/${stay}/confirm`, {});
  };
  beforeAll(async () => {
    await deliverAll(system.bed.db, undefined, true);
    await call('POST', '/guests', WHO);
    const row = {
      id: 'k'.repeat(16),
      subject: `guest:${WHO.id}`,
      wrapped: Buffer.alloc(60),
      wrapped_by: 'gone/000000000000',
    };
    await system.bed.db.insertInto('data_key').values(row).execute();
  });
  afterAll(() => system.bed.db.deleteFrom('data_key').where('wrapped_by', 'like', 'gone/%').execute());

  it('is not sent, waits for a person, and costs no other its way', async () => {
    const { db } = system.bed;
    await begin('stay-k1', '2026-02-01', '2026-02-03');
    const others = sql<{ n: number }>`
      SELECT count(*)::int AS n FROM notification WHERE recipient_id <> ${WHO.id} AND status = 'SENT'`;
    const [before] = (await others.execute(db)).rows;
    await deliverAll(db, undefined, true);
    const told = await mine(db).execute();
    expect(told.length).toBeGreaterThan(0);
    expect(new Set(told.map(({ status, reason }) => `${status} ${reason}`))).toEqual(new Set(['BLOCKED SEAL_FAILED']));
    expect(Number((await others.execute(db)).rows[0]?.n)).toBeGreaterThan(Number(before?.n));
    const mails = await listDevMail(db, { before: null, limit: 100 });
    expect(mails.filter(({ recipient }) => [WHO.email, WHO.phone].includes(recipient))).toEqual([]);
  });

  it('is recorded as sent, without what was said, when the key went after it was sent', async () => {
    const { db } = system.bed;
    await begin('stay-k2', '2026-03-01', '2026-03-03');
    const claimed = (await claimDue(db, 'together', { limit: 100, ids: null })).filter(
      ({ recipientId }) => recipientId === WHO.id,
    );
    expect(claimed.length).toBeGreaterThan(0);
    const rendered = {
      ...{ locale: 'en', wantedLocale: null, version: 1, subject: 'Welcome', body: 'Dear Karim', toldStart: null },
      hash: '0'.repeat(64),
    };
    const verdict = { status: 'SENT', providerId: 'provider-k', rendered } as const;
    const results = claimed.map((row) => ({ ...row, verdict }));
    expect(await record(db, results)).toEqual({ recorded: claimed.length, failures: [] });
    const ids = claimed.map(({ id }) => id);
    const rows = await mine(db).where('id', 'in', ids).execute();
    expect(rows.map(({ status }) => status)).toEqual(ids.map(() => 'SENT'));
    const kept = db.selectFrom('notification_content').select(['subject', 'body']).where('notification_id', 'in', ids);
    expect(await kept.execute()).toEqual(ids.map(() => ({ subject: null, body: '' })));
    expect(await notificationContent(db, ids[0] ?? '')).toMatchObject({ subject: null, body: '' });
  });
});

const accountFor = (id: string) => ({ row: id, subject: subjectOf('OWNER', id) });

describe('a sealed field', () => {
  let database: TestDatabase;
  const opened: Db[] = [];
  const openedBy = (keys: FieldKeys | null): Db => {
    const pool = createPool({ connectionString: database.url, max: 2, applicationName: 'sealed-test' });
    const db = createDb(pool, keys);
    opened.push(db);
    return db;
  };
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await Promise.all(opened.map((db) => db.destroy()));
    await database?.drop();
  });
  const insertOwner = async (db: Db, id: string, account: string | null): Promise<void> => {
    const values = { id, name: 'Olga', email: 'olga@example.com', payout_account: account };
    await db.insertInto('owner').values(values).execute();
  };
  const accountOf = async (db: Db, id: string) =>
    (await db.selectFrom('owner').select('payout_account').where('id', '=', id).executeTakeFirstOrThrow())
      .payout_account;
  const readAccount = async (db: Db, id: string) => openField(db, 'owner.payout_account', id, await accountOf(db, id));
  const sealOwner = async (db: Db, id: string, account: string): Promise<void> =>
    insertOwner(db, id, await sealField(db, 'owner.payout_account', accountFor(id), account));

  it('K15: is ciphertext with the id of its key for who reads Postgres, another one each time', async () => {
    const db = openedBy(fieldKeys('a'));
    await sealOwner(db, 'raw-1', 'acct-raw');
    const { rows } = await sql<{ id: string; subject: string; wrapped_by: string }>`
      SELECT id, subject, wrapped_by FROM data_key WHERE subject = 'owner:raw-1'`.execute(db);
    expect(await accountOf(db, 'raw-1')).toMatch(new RegExp(`^enc1\\.${rows[0]?.id}\\.[\\w-]{48,}$`));
    expect(rows[0]?.wrapped_by).toMatch(/^a\/[0-9a-f]{12}$/);
    const seal = () => sealField(db, 'owner.payout_account', accountFor('raw-1'), 'acct-raw');
    expect(await seal()).not.toBe(await seal());
    expect(await readAccount(db, 'raw-1')).toBe('acct-raw');
  });

  it('opens for its own row and field alone, and not when it was changed', async () => {
    const db = openedBy(fieldKeys('a'));
    await sealOwner(db, 'thief', 'acct-thief');
    await insertOwner(db, 'victim', await accountOf(db, 'thief'));
    await expect(readAccount(db, 'victim')).rejects.toThrow('does not open');
    const stored = String(await accountOf(db, 'thief'));
    await expect(openField(db, 'webhook_endpoint.secret', 'thief', stored)).rejects.toThrow('does not open');
    const flipped = stored.slice(0, -8) + (stored.at(-8) === 'A' ? 'B' : 'A') + stored.slice(-7);
    await expect(openField(db, 'owner.payout_account', 'thief', flipped)).rejects.toThrow('does not open');
  });

  it('K15: reads after a change of keys and without the old one, and nothing but wrappings was written', async () => {
    const before = openedBy(fieldKeys('a'));
    await Promise.all(Array.from({ length: 20 }, (_, n) => sealOwner(before, `rotated-${n}`, `acct-${n}`)));
    const texts = async () => (await sql`SELECT id, payout_account FROM owner ORDER BY id`.execute(before)).rows;
    const stored = await texts();
    const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM data_key`.execute(before);
    // While it runs, a program with the old key alone goes on, and one with both.
    const both = fieldKeys('b', 'a');
    const [rotation] = await Promise.all([
      rewrapAll(openedBy(both), both),
      ...Array.from({ length: 20 }, (_, n) => readAccount(before, `rotated-${n}`)),
    ]);
    expect(rotation).toEqual({ rewrapped: rows[0]?.n, unknown: {} });
    expect(await texts()).toEqual(stored);
    expect(await rewrapAll(openedBy(both), both)).toEqual({ rewrapped: 0, unknown: {} });
    const after = openedBy(fieldKeys('b'));
    for (let n = 0; n < 20; n += 1) expect(await readAccount(after, `rotated-${n}`)).toBe(`acct-${n}`);
    // Who has none of the keys is told which one is missing, and changes nothing.
    const others = fieldKeys('c');
    const foreign = await rewrapAll(openedBy(others), others);
    expect(foreign).toEqual({ rewrapped: 0, unknown: { [fieldKeys('b').current]: rows[0]?.n } });
    const missing = [after, openedBy(others), openedBy(null)].map((db) => missingKey(db));
    expect(await Promise.all(missing)).toEqual([null, fieldKeys('b').current, fieldKeys('b').current]);
    await expect(readAccount(openedBy(others), 'rotated-1')).rejects.toThrow('FIELD_KEYS does not have the key b/');
    await expect(readAccount(openedBy(null), 'rotated-1')).rejects.toThrow('FIELD_KEYS is not set');
    const back = fieldKeys('a', 'b');
    await rewrapAll(openedBy(back), back);
  });

  it('lets no program start that lacks one of its keys, the installation’s or a person’s, or has none', async () => {
    const signal = new AbortController().signal;
    const log = createLogger('test', 'silent');
    await sealOwner(openedBy(fieldKeys('a')), 'started', 'acct-started');
    await assertFieldKeys({ db: openedBy(fieldKeys('b', 'a')), log }, signal);
    for (const keys of [fieldKeys('b'), null]) {
      const refused = assertFieldKeys({ db: openedBy(keys), log }, signal);
      await expect(refused).rejects.toThrow(ConfigError);
      await expect(refused).rejects.toThrow(/^FIELD_KEYS: it does not have the key a\/[0-9a-f]{12}, by which [^\n]+$/);
    }
    // A database that is away says nothing about keys: the program waits, until it is ended.
    const ending = new AbortController();
    const url = new URL(database.url);
    url.port = '1';
    const away = createDb(createPool({ connectionString: url.href, max: 1, applicationName: 'sealed-test' }), null);
    opened.push(away);
    const told = Promise.withResolvers<void>();
    const waits = assertFieldKeys(
      { db: away, log: createLogger('test', 'warn', { write: () => told.resolve() }) },
      ending.signal,
    );
    await told.promise;
    ending.abort();
    await waits;
  });

  it('of a person whose key was removed is gone, here and in what was copied before', async () => {
    await sealOwner(openedBy(fieldKeys('a')), 'erased', 'acct-erased');
    const db = openedBy(fieldKeys('a'));
    await db.deleteFrom('data_key').where('subject', '=', 'owner:erased').execute();
    expect(await readAccount(db, 'erased')).toBeNull();
  });

  it('is never sealed by a key that was rolled back', async () => {
    const db = openedBy(fieldKeys('a'));
    const failing = db.transaction().execute(async (tx) => {
      await sealOwner(tx, 'rolled', 'acct-1');
      expect(await readAccount(tx, 'rolled')).toBe('acct-1');
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    await sealOwner(db, 'rolled', 'acct-2');
    expect(await readAccount(openedBy(fieldKeys('a')), 'rolled')).toBe('acct-2');
  });

  it('has one key for each person, however many write at once', async () => {
    const dbs = Array.from({ length: 4 }, () => openedBy(fieldKeys('a')));
    await Promise.all(
      dbs.map((db, n) =>
        db.transaction().execute((tx) => sealField(tx, 'owner.payout_account', accountFor('many'), `${n}`)),
      ),
    );
    const { rows } = await sql`SELECT FROM data_key WHERE subject = 'owner:many'`.execute(openedBy(null));
    expect(rows.length).toBe(1);
  });
});

describe('an installation of before', () => {
  it('K15: is sealed beside programs that run, whatever its rows and beside what changes them, and reads as it did', async () => {
    const database = await createTestDatabase();
    const pool = () => createPool({ connectionString: database.url, max: 3, applicationName: 'sealed-test' });
    const clear = createDb(pool());
    const db = createDb(pool(), fieldKeys('a'));
    try {
      const many = Array.from({ length: 450 }, (_, n) => ({
        id: `owner-${n}`,
        name: 'Olga',
        email: `olga-${n}@example.com`,
        payout_account: n % 3 === 0 ? null : `acct-clear-${n}`,
        payout_account_before: n % 5 === 0 ? `acct-clear-before-${n}` : null,
      }));
      await clear.insertInto('owner').values(many).execute();
      const hook = { id: 'webhook-1', url: 'https://a.example', next_seq: 1, created_by: 'admin-1' };
      const overlap = new Date(Date.now() + 3_600_000);
      await clear
        .insertInto('webhook_endpoint')
        .values({ ...hook, secret: 'whsec_clear', previous_secret: 'whsec_clear-before', previous_until: overlap })
        .execute();
      // Read as before until then, and what an earlier version writes meanwhile is found the next time.
      expect(await secretsOf(db, await readEndpoint(db, 'webhook-1'))).toEqual(['whsec_clear', 'whsec_clear-before']);
      const events = async () => (await sql`SELECT FROM domain_event`.execute(clear)).rows.length;
      const eventsBefore = await events();
      const [first, second] = await Promise.all([sealClearValues(db, 'settings'), sealClearValues(db, 'settings')]);
      const sum = (name: string) => Number(Reflect.get(first ?? {}, name)) + Number(Reflect.get(second ?? {}, name));
      expect([sum('owner.payout_account'), sum('webhook_endpoint.secret')]).toEqual([390, 2]);
      await clear.updateTable('owner').set({ payout_account: 'acct-clear-late' }).where('id', '=', 'owner-0').execute();
      expect(await sealClearValues(db, 'settings')).toMatchObject({
        'owner.payout_account': 1,
        'webhook_endpoint.secret': 0,
      });
      expect(await sealClearValues(db, 'settings')).toMatchObject({ 'owner.payout_account': 0 });
      expect(await sealClearValues(clear, 'all')).toBeNull();
      expect(await events()).toBe(eventsBefore);
      const { rows } = await sql<{ text: string }>`
        SELECT o::text FROM owner o UNION ALL SELECT w::text FROM webhook_endpoint w`.execute(clear);
      expect(rows.map(({ text }) => text).join()).not.toMatch(/acct-clear|whsec_clear/);
      expect(await secretsOf(db, await readEndpoint(db, 'webhook-1'))).toEqual(['whsec_clear', 'whsec_clear-before']);
      for (const { id, payout_account, payout_account_before } of many.slice(1)) {
        const row = await db.selectFrom('owner').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
        const read = [row.payout_account, row.payout_account_before].map((text) =>
          openField(db, 'owner.payout_account', id, text),
        );
        expect(await Promise.all(read)).toEqual([payout_account, payout_account_before]);
        expect(row.version).toBe(1);
      }
      const subjects = await sql<{ subject: string }>`SELECT subject FROM data_key`.execute(clear);
      expect(subjects.rows).toContainEqual({ subject: INSTALLATION });
    } finally {
      await Promise.all([clear.destroy(), db.destroy()]);
      await database.drop();
    }
  });

  it('has no link left that opens by what the database shows, and those that were mailed open by their digest', async () => {
    const database = await createEmptyDatabase();
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      const files = readdirSync(MIGRATIONS).filter((file) => MIGRATION_FILE.test(file));
      for (const file of files.toSorted()) {
        if (file.startsWith('0073'))
          await client.query(`SET session_replication_role = replica;
            INSERT INTO task_offer (token, task_id, staff_id, accept_by) VALUES
              (repeat('w', 64), 'task-1', 'staff-1', now() + interval '1 hour'), (repeat('x', 64), 'task-2', 'staff-1', now() - interval '1 hour');
            INSERT INTO repair_approval (task_id, owner_id, token, property_id, title, decided_at, decided_by) VALUES
              ('task-3', 'owner-1', repeat('y', 43), 'p', 'Boiler', NULL, NULL), ('task-4', 'owner-1', repeat('z', 43), 'p', 'Roof', now(), 'owner-1');
            RESET session_replication_role`);
        await client.query(readFileSync(path.join(MIGRATIONS, file), 'utf8'));
      }
      const { rows } = await client.query(`
        SELECT task_id, token ~ '^[0-9a-f]{32,43}$' AS is_new, link_before FROM task_offer
        UNION ALL SELECT task_id, token ~ '^[0-9a-f]{32,43}$', link_before FROM repair_approval ORDER BY 1`);
      const digestOf = (text: string) => createHash('sha256').update(text).digest();
      expect(rows).toEqual([
        { task_id: 'task-1', is_new: true, link_before: digestOf('w'.repeat(64)) },
        // Over too: the page of one that was opened before still asks with its link, and the answer says that it is over.
        { task_id: 'task-2', is_new: true, link_before: digestOf('x'.repeat(64)) },
        { task_id: 'task-3', is_new: true, link_before: digestOf('y'.repeat(43)) },
        { task_id: 'task-4', is_new: true, link_before: digestOf('z'.repeat(43)) },
      ]);
    } finally {
      await client.end();
      await database.drop();
    }
  });
});
