import { fork } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createTransport } from 'nodemailer';
import { startPostgres } from '../scripts/services/postgres.ts';
import { createDb, createPool } from '../src/db/client.ts';
import { migrate } from '../src/db/migrate.ts';
import { deliverDue } from '../src/domain/messages/delivery.ts';
import { createSmtp, SMTP_CONNECTIONS } from '../src/gateways/smtp/messenger.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { createLinkSeal } from '../src/kernel/link-seal.ts';
import { createLogger } from '../src/kernel/log.ts';
import { createTextSeal } from '../src/kernel/text-seal.ts';
import { DELIVERY_LANES, inLanes } from '../src/workers/sweeps.ts';
import { benchFieldKeys } from './field-keys.ts';

/**
 * `npm run bench:mail [-- --check]`: 1 000 mails to a mail server on this machine, through the delivery as the worker runs
 * it (claim, render, send, record), beside nodemailer's own pooled loop with the same connections and the same mails, in
 * turns. With `--check` it fails below 0.7.
 */

const MAILS = 1_000;
const ROUNDS = 3;
const AT_LEAST = 0.7;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-mail-'));
fs.chmodSync(directory, 0o755);
const server = fork(path.join(import.meta.dirname, 'mail-server.ts'));
const port = await new Promise<number>((resolve) => server.once('message', (message) => resolve(Number(message))));
const postgres = await startPostgres({ dataDir: path.join(directory, 'postgres') });
await migrate(postgres.url);
const pool = createPool({ connectionString: postgres.url, max: 10, applicationName: 'bench' });
const db = createDb(pool, benchFieldKeys());

async function order(): Promise<void> {
  await pool.query('TRUNCATE notification_content, notification CASCADE');
  await pool.query(
    `INSERT INTO owner (id, name, email) VALUES ('owner-1', 'Aisha Rahman', 'aisha@owners.example') ON CONFLICT DO NOTHING`,
  );
  await pool.query(
    `INSERT INTO property (id, name, owner_id) VALUES ('property-1', 'Marina View 1204', 'owner-1') ON CONFLICT DO NOTHING`,
  );
  await pool.query(
    `INSERT INTO guest (id, name, email) SELECT 'guest-' || n, 'Guest ' || n, 'guest' || n || '@guests.example'
    FROM generate_series(1, $1::int) AS n ON CONFLICT DO NOTHING`,
    [MAILS],
  );
  await pool.query(
    `INSERT INTO reservation (id, property_id, guest_id, check_in_date, check_out_date, total_minor, currency, status, confirmed_at, created_by)
    SELECT 'reservation-' || n, 'property-1', 'guest-' || n, date '2030-01-01' + n, date '2030-01-01' + n + 1, 100000, 'AED', 'CONFIRMED', now(), 'bench'
    FROM generate_series(1, $1::int) AS n ON CONFLICT DO NOTHING`,
    [MAILS],
  );
  await pool.query(
    `INSERT INTO notification (id, effect_key, reservation_id, event, template, channel, recipient_type, recipient_id)
    SELECT 'n-' || n, 'key-' || n, 'reservation-' || n, 'RESERVATION_CONFIRMED', 'reservation-confirmed.guest@1', 'EMAIL', 'GUEST', 'guest-' || n
    FROM generate_series(1, $1::int) AS n`,
    [MAILS],
  );
  await pool.query('ANALYZE');
}

const perSecond = (ms: number): number => (MAILS * 1_000) / ms;

async function delivery(): Promise<number> {
  await order();
  const smtp = createSmtp({ url: `smtp://127.0.0.1:${port}`, from: 'Roomy <no-reply@roomy.example>' });
  const deps = {
    db,
    messengers: { EMAIL: smtp, SMS: smtp },
    opsEmail: 'ops@roomy.example',
    secrets: createTextSeal([]),
    links: createLinkSeal([], systemClock),
    publicUrl: 'https://roomy.example',
    agencyTimeZone: 'Asia/Dubai',
    log: createLogger('bench', 'silent'),
  };
  const began = performance.now();
  await inLanes(DELIVERY_LANES, async () => {
    while ((await deliverDue(deps)) > 0);
  });
  const ms = performance.now() - began;
  await smtp.close();
  const { rows } = await pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM notification WHERE status = 'SENT'`);
  if (rows[0]?.n !== MAILS) throw new Error(`${rows[0]?.n} of ${MAILS} were sent`);
  return perSecond(ms);
}

/** The same mail, rendered once: what the library can do when nothing else is asked of it. */
async function bareLoop(html: string): Promise<number> {
  const transport = createTransport({
    pool: true,
    host: '127.0.0.1',
    port,
    secure: false,
    maxConnections: SMTP_CONNECTIONS,
    maxMessages: Infinity,
  });
  const began = performance.now();
  await Promise.all(
    Array.from({ length: MAILS }, (_, n) =>
      transport.sendMail({
        from: 'Roomy <no-reply@roomy.example>',
        to: `guest${n}@guests.example`,
        subject: 'Reservation Confirmed - Marina View 1204',
        messageId: `<bare-${n}@roomy>`,
        text: 'Dear Guest, your reservation for Marina View 1204 is confirmed for 1 June 2027.',
        html,
      }),
    ),
  );
  const ms = performance.now() - began;
  transport.close();
  return perSecond(ms);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const { renderHtml, parseTemplate } = await import('../src/domain/messages/render.ts');
const sample = renderHtml(
  parseTemplate('Dear {guestName}, your reservation for Marina View 1204 is confirmed for 1 June 2027.'),
  { guestName: 'Guest' },
);
const html = sample.ok ? sample.text : '';
const ours: number[] = [];
const bare: number[] = [];
// Once for nothing: connections, plans and compiled code.
await delivery();
await bareLoop(html);
for (let round = 0; round < ROUNDS; round += 1) {
  ours.push(await delivery());
  bare.push(await bareLoop(html));
}
const ratio = median(ours) / median(bare);
console.log(`${MAILS} mails, ${SMTP_CONNECTIONS} connections, medians of ${ROUNDS} rounds:`);
console.log(`  delivered (claimed, rendered, sent, recorded): ${median(ours).toFixed(0)} mails/s`);
console.log(`  nodemailer's pooled loop:                      ${median(bare).toFixed(0)} mails/s`);
console.log(`  ratio ${ratio.toFixed(2)} (at least ${AT_LEAST})`);
await db.destroy();
await postgres.stop();
server.kill();
fs.rmSync(directory, { recursive: true, force: true });
process.exit(process.argv.includes('--check') && ratio < AT_LEAST ? 1 : 0);
