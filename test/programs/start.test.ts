import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clockOfThisProcess } from '../../scripts/services/process.ts';

/** `npm start` with a setting that its programs would refuse at every start. */

const ROOT = path.join(import.meta.dirname, '../..');
let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'roomy-start-'));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

function start(
  settings: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly text: string }> {
  const child = spawn(process.execPath, ['scripts/start.ts'], {
    cwd: ROOT,
    env: {
      ...clockOfThisProcess(),
      PATH: process.env['PATH'] ?? '',
      HOME: dataDir,
      ROOMY_DATA_DIR: dataDir,
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, text })));
}

describe('npm start', () => {
  it.each([
    ['STRIPE_WEBHOOK_SECRET', 'not-a-secret'],
    ['STRIPE_SECRET_KEY', 'pk_test_123'],
    ['PAYMENT_GATEWAYS', 'paypal'],
    ['SMTP_URL', 'http://mail.example.com'],
    ['TWILIO_ACCOUNT_SID', 'AC1'],
    ['WORKER_CONCURRENCY', '0'],
    ['ROLES', 'sagas,cooks'],
    ['OPS_EMAIL', 'nobody'],
    ['JWT_KEYS', 'k1:short'],
  ])('ends at once when %s is wrong, and names it without its value', async (name, value) => {
    const { code, text } = await start({ [name]: value });
    expect(code).toBe(1);
    expect(text).toContain(`${name}:`);
    if (value.length > 3) expect(text).not.toContain(value);
    // Nothing was begun that would have to be begun again.
    expect(text).not.toMatch(/Starting|Preparing/);
  });
});
