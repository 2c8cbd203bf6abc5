import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { SMTPServer } from 'smtp-server';
import { startPostgres } from '../../scripts/services/postgres.ts';
import { freePort, waitUntil } from '../../scripts/services/process.ts';
import { startRedis } from '../../scripts/services/redis.ts';
import { migrate } from '../../src/db/migrate.ts';
import { type ChaosDatabase, connectChaosDatabase } from './chaos/database.ts';
import { createFleet, type Fleet } from './chaos/fleet.ts';
import { createRandom } from './chaos/random.ts';

/**
 * `npm run faults:reminders [-- seed]`: 10 000 reminders that are due, planned and sent by two workers that are killed at
 * random while Redis loses everything twice. Then the record of the receiving mail server is compared with the rows:
 * each reminder was sent once; an e-mail at most once more for every crash that its row has recorded.
 */

const ROOT = path.resolve(import.meta.dirname, '../..');
const STAYS = 5_000;
/** By e-mail and by SMS. */
const REMINDERS = STAYS * 2;
const WITHIN_MS = 240_000;
const KILLS_AT_LEAST = 8;
const FLUSHES = 2;
/** Sent between two kills: on a slow machine workers that were killed by the clock alone had not started yet, and did nothing. */
const SENT_BETWEEN_KILLS = 300;

const seed = Number(process.argv[2] ?? Math.floor(Math.random() * 2 ** 31));
if (!Number.isInteger(seed)) throw new RangeError('usage: npm run faults:reminders [-- seed]');
const random = createRandom(seed);
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-reminders-'));
fs.chmodSync(directory, 0o755);
const cleanUp: (() => Promise<unknown>)[] = [];
async function close(): Promise<void> {
  for (const end of cleanUp.splice(0).reverse()) await end().catch((error: unknown) => console.error(error));
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => void close().finally(() => process.exit(130)));
}

async function run(): Promise<readonly string[]> {
  console.log(`seed ${seed}, logs in ${directory}`);
  const [postgres, redis] = await Promise.all([
    startPostgres({ dataDir: path.join(directory, 'postgres') }),
    startRedis({ dir: path.join(directory, 'redis'), appendonly: false }),
  ]);
  cleanUp.push(
    () => postgres.stop(),
    () => redis.stop(),
  );
  await migrate(postgres.url);
  const db = connectChaosDatabase(postgres.url);
  cleanUp.push(() => db.close());
  await db.query(SEED, [STAYS]);
  const received = await receiveMail();
  const client = new Redis(redis.url, { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  cleanUp.push(() => Promise.resolve(client.disconnect()));

  const fleet = createFleet(ROOT, directory);
  cleanUp.push(() => fleet.close());
  const env = {
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.appUrl,
    SMTP_URL: `smtp://127.0.0.1:${received.port}`,
    JWT_KEYS: 'k1:reminders-0123456789-abcdefghijklmnopqrstuv',
    SEAL_KEYS: 'k1:reminders-0123456789-abcdefghijklmnopqrstuv',
    NODE_ENV: 'production',
    OPS_PORT: 'off',
    LOG_LEVEL: 'info',
    ROOMY_DATA_DIR: path.join(directory, 'data'),
    PAYMENT_GATEWAYS: 'sandbox',
  };
  for (const n of [1, 2]) await fleet.launch(`worker-${n}`, { program: 'src/worker.ts', env });
  const began = Date.now();
  const { kills, flushes } = await disturb(db, fleet, client);
  const done = await waitUntil(async () => (await countSent(db)) === REMINDERS, WITHIN_MS - (Date.now() - began), 250);
  const seconds = ((Date.now() - began) / 1000).toFixed(0);
  console.log(
    `${seconds} s: ${kills} workers killed, ${flushes} x FLUSHALL, ${await countSent(db)} of ${REMINDERS} sent`,
  );
  const problems = [...(await compare(db, received.counts)), ...fleet.surprises];
  if (!done) problems.push(`not all were sent within ${WITHIN_MS / 1000} s`);
  if (kills < KILLS_AT_LEAST || flushes < FLUSHES) problems.push('too few faults: the run has shown nothing');
  return problems;
}

/** Kills a worker every second or so while they send, until nearly all is sent; Redis is emptied after a third and after two thirds. */
async function disturb(
  db: ChaosDatabase,
  fleet: Fleet,
  redis: Redis,
): Promise<{ readonly kills: number; readonly flushes: number }> {
  let kills = 0;
  let flushes = 0;
  let sentBefore = 0;
  const deadline = Date.now() + WITHIN_MS;
  while (Date.now() < deadline) {
    await sleep(random.between(400, 1_600));
    const sent = await countSent(db);
    if (sent > REMINDERS * 0.97 && kills >= KILLS_AT_LEAST && flushes >= FLUSHES) break;
    if (sent === REMINDERS) break;
    if (flushes < FLUSHES && sent >= ((flushes + 1) * REMINDERS) / 3) {
      await redis.flushall();
      flushes += 1;
    }
    if (kills > 0 && sent - sentBefore < SENT_BETWEEN_KILLS) continue;
    sentBefore = sent;
    const victim = `worker-${random.between(1, 2)}`;
    if (!fleet.running(victim).includes(victim)) continue;
    await fleet.kill(victim);
    kills += 1;
  }
  return { kills, flushes };
}

async function countSent(db: ChaosDatabase): Promise<number> {
  const [row] = await db.query<{ n: number }>(`SELECT count(*)::int AS n FROM notification WHERE status = 'SENT'`);
  return row?.n ?? 0;
}

/** Compares the receiver's messages with the rows. */
async function compare(db: ChaosDatabase, counts: ReadonlyMap<string, number>): Promise<string[]> {
  const problems: string[] = [];
  const rows = await db.query<{ effect_key: string; channel: string; status: string; attempts: number }>(
    `SELECT effect_key, channel, status, attempts FROM notification WHERE event = 'CHECK_IN_REMINDER'`,
  );
  if (rows.length !== REMINDERS) problems.push(`${rows.length} rows for ${REMINDERS} reminders`);
  const mails = rows.filter(({ channel }) => channel === 'EMAIL');
  let repeated = 0;
  for (const { effect_key, attempts, status } of mails) {
    const times = counts.get(`<${effect_key}@roomy>`) ?? 0;
    if (times > 1) repeated += times - 1;
    if (times === 0) problems.push(`${effect_key} is ${status} and was never received`);
    // The first attempt and one more for each that crashed.
    if (times > attempts) problems.push(`${effect_key} was received ${times} times in ${attempts} attempts`);
  }
  const known = new Set(mails.map(({ effect_key }) => `<${effect_key}@roomy>`));
  for (const id of counts.keys()) if (!known.has(id)) problems.push(`${id} was received and has no row`);
  const crashed = rows.filter(({ attempts }) => attempts > 1).length;
  const texts = await db.query<{ n: number; ids: number }>(
    'SELECT count(*)::int AS n, count(DISTINCT message_id)::int AS ids FROM dev_mail',
  );
  if (texts[0]?.n !== STAYS || texts[0].ids !== STAYS) problems.push(`${texts[0]?.n} SMS for ${STAYS} guests`);
  console.log(
    `${mails.length} mails, ${repeated} of them received twice after a crash; ${crashed} rows had a crash recorded`,
  );
  return problems;
}

/** A mail server that keeps which messages it has accepted, and how often. */
async function receiveMail(): Promise<{ readonly port: number; readonly counts: ReadonlyMap<string, number> }> {
  const counts = new Map<string, number>();
  const port = await freePort();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData(stream, _session, accept) {
      let head = '';
      stream.on('data', (chunk: Buffer) => {
        if (head.length < 4_096) head += chunk.toString('latin1');
      });
      stream.on('end', () => {
        const id = /^Message-ID:\s*(<[^>]+>)/im.exec(head)?.[1] ?? 'none';
        counts.set(id, (counts.get(id) ?? 0) + 1);
        accept();
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  cleanUp.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port, counts };
}

/** Stays that begin tomorrow, confirmed long ago, whose reminder was due at midnight. */
const SEED = `
WITH house AS (
  INSERT INTO owner (id, name, email) VALUES ('owner-1', 'Aisha', 'aisha@owners.example')
), quiet AS (
  UPDATE message_rule SET quiet_channels = '{}'
), number AS (
  SELECT n FROM generate_series(1, $1::int) AS n
), guest AS (
  INSERT INTO guest (id, name, email, phone) SELECT 'guest-' || n, 'Guest ' || n, 'guest' || n || '@guests.example', '+9715' || lpad(n::text, 8, '0') FROM number
), property AS (
  INSERT INTO property (id, name, owner_id, time_zone, check_in_reminder_time, check_out_reminder_time, payment_due_days)
  SELECT 'property-' || n, 'Marina ' || n, 'owner-1', 'UTC', '00:00', '23:59', NULL FROM number
)
INSERT INTO reservation (id, property_id, guest_id, check_in_date, check_out_date, total_minor, currency, status, confirmed_at, created_by)
SELECT 'reservation-' || n, 'property-' || n, 'guest-' || n, (now() AT TIME ZONE 'UTC')::date + 1, (now() AT TIME ZONE 'UTC')::date + 30,
       100000, 'AED', 'CONFIRMED', now() - interval '60 days', 'seed' FROM number`;

const problems = await run().finally(close);
for (const problem of problems.slice(0, 20)) console.error(problem);
console.log(problems.length === 0 ? 'every reminder was sent once' : `${problems.length} problems`);
if (problems.length === 0) fs.rmSync(directory, { recursive: true, force: true });
process.exit(problems.length === 0 ? 0 : 1);
