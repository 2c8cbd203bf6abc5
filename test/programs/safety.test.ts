import { spawn } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { clockOfThisProcess } from '../../scripts/services/process.ts';
import { readConfig, readDatabaseUrl } from '../../src/config.ts';

/** Settings with which production does not start, in every program, unless they are allowed by name. */

const ROOT = path.join(import.meta.dirname, '../..');
const SAFE = {
  DATABASE_URL: 'postgres://roomy:hunter2@127.0.0.1:1/roomy',
  REDIS_URL: 'redis://127.0.0.1:1',
  JWT_KEYS: 'k1:programs-0123456789-abcdefghijklmnopqrstuv',
  SEAL_KEYS: 's1:seals-0123456789-abcdefghijklmnopqrstuvwxyz',
  PAYMENT_GATEWAYS: 'sandbox',
};
type Settings = Readonly<Record<string, string>>;
const REMOTE: Settings = {
  ...SAFE,
  DATABASE_URL: 'postgres://roomy:hunter2@db.example/roomy',
  REDIS_URL: 'redis://:hunter2@redis.example',
  PAYMENT_GATEWAYS: '',
};
const POSTGRES = /^DATABASE_URL: goes to another host in the clear/;
const REDIS = /^REDIS_URL: goes to another host in the clear/;
const GATEWAY = /^PAYMENT_GATEWAYS: is required in production/;
/** All that this system has, and what each of them uses. */
const PROGRAMS = {
  api: [GATEWAY, POSTGRES, REDIS],
  worker: [GATEWAY, POSTGRES, REDIS],
  migrate: [POSTGRES],
  demo: [POSTGRES],
  'rotate-keys': [POSTGRES],
};

async function end(program: string, env: Settings) {
  const child = spawn(process.execPath, [`src/${program}.ts`], {
    cwd: ROOT,
    env: { ...clockOfThisProcess(), PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, lines: text.trim().split('\n') };
}

describe('H7, K2: a program in production', () => {
  it.each(Object.entries(PROGRAMS))(
    '%s says in one line all that it refuses to start with',
    async (program, refused) => {
      for (const env of [REMOTE, { ...REMOTE, NODE_ENV: 'production' }]) {
        const { code, lines } = await end(program, env);
        expect([code, lines.length], lines.join('\n')).toEqual([1, 1]);
        const { level, problems } = JSON.parse(lines[0] ?? '') as { level: number; problems: string[] };
        expect([level, problems.slice(1).length], lines[0]).toEqual([60, refused.length]);
        for (const problem of refused) expect(problems.filter((line) => problem.test(line))).toHaveLength(1);
        expect(lines[0]).not.toContain('hunter2');
      }
    },
    60_000,
  );
});

const problemsOf = (env: Settings): string[] => {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    return error instanceof Error
      ? error.message
          .split('\n')
          .slice(1)
          .map((line) => line.trim())
      : ['?'];
  }
};
const refuses = (env: Settings, problem: RegExp): boolean => problemsOf(env).some((line) => problem.test(line));

describe('H4, H7: what counts as production', () => {
  it.each([
    [undefined, true],
    ['', true],
    ['production', true],
    ['staging', true],
    ['Development', true],
    ['development', false],
    ['test', false],
  ] as const)('NODE_ENV %j: %j', (NODE_ENV, isProduction) => {
    const env = NODE_ENV === undefined ? REMOTE : { ...REMOTE, NODE_ENV };
    expect(problemsOf(env)).toHaveLength(isProduction ? 3 : 0);
    expect(readConfig({ ...SAFE, ...(NODE_ENV === undefined ? {} : { NODE_ENV }) }).production).toBe(isProduction);
  });
});

describe('H7: what goes over a network in the clear', () => {
  const at = 'postgres://u:p@db.example:5432/roomy';
  it.each([
    ['postgres://u:p@localhost/roomy', false],
    ['postgres://u:p@127.0.0.1:5432/roomy', false],
    ['postgres://u:p@127.8.8.8/roomy', false],
    ['postgres://u:p@[::1]/roomy', false],
    ['postgres:///roomy?host=/var/run/postgresql', false],
    ['postgres://u@%2Fvar%2Frun%2Fpostgresql/roomy', false],
    [at, true],
    ['postgres://u:p@10.0.0.7/roomy', true],
    ['postgres://u:p@127.example/roomy', true],
    ['postgres://u:p@localhost/roomy?host=db.example', true],
    [`${at}?sslmode=disable`, true],
    [`${at}?ssl=0`, true],
    [`${at}?sslmode=verify-full`, false],
    [`${at}?ssl=true`, false],
  ])('Postgres at %s: %j', (DATABASE_URL, refused) => {
    expect(refuses({ ...SAFE, DATABASE_URL }, POSTGRES)).toBe(refused);
    expect(refuses({ ...SAFE, DATABASE_URL, ALLOW_PLAINTEXT: '1' }, POSTGRES)).toBe(false);
    const migrate = () => readDatabaseUrl({ DATABASE_URL });
    if (refused) expect(migrate).toThrow(/another host in the clear: add sslmode=verify-full/);
    else expect(migrate()).toBe(DATABASE_URL);
    expect(readDatabaseUrl({ DATABASE_URL, NODE_ENV: 'development' })).toBe(DATABASE_URL);
  });

  it.each([
    `${at}?sslmode=prefer`,
    `${at}?sslmode=require`,
    `${at}?sslmode=verify-ca`,
    `${at}?sslmode=no-verify`,
    `${at}?sslmode=VERIFY-FULL`,
    `${at}?ssl=no-verify`,
    `${at}?sslmode=require&uselibpqcompat=true`,
    'postgres://u:p@localhost/roomy?host=db.example&sslmode=require',
  ])('Postgres that is not asked who it is: %s', (DATABASE_URL) => {
    const problem = /^DATABASE_URL: goes to another host without asking who that is: use sslmode=verify-full/;
    expect(refuses({ ...SAFE, DATABASE_URL }, problem)).toBe(true);
    expect(() => readDatabaseUrl({ DATABASE_URL })).toThrow(/use sslmode=verify-full/);
    for (const allowed of [{ ALLOW_PLAINTEXT: '1' }, { NODE_ENV: 'development' }])
      expect(readDatabaseUrl({ DATABASE_URL, ...allowed })).toBe(DATABASE_URL);
    const here = DATABASE_URL.replaceAll('db.example', 'localhost');
    expect(readDatabaseUrl({ DATABASE_URL: here })).toBe(here);
  });

  it.each([
    ['redis://localhost:6379', false],
    ['redis://:p@127.0.0.1', false],
    ['redis://[::1]:6379', false],
    ['redis://:p@redis.example', true],
    ['redis://10.0.0.7', true],
    ['rediss://:p@redis.example', false],
  ])('Redis at %s: %j', (REDIS_URL, refused) => {
    expect(refuses({ ...SAFE, REDIS_URL }, REDIS)).toBe(refused);
    expect(refuses({ ...SAFE, REDIS_URL, ALLOW_PLAINTEXT: '1' }, REDIS)).toBe(false);
  });

  it.each(['STRIPE_API_URL', 'TWILIO_API_URL', 'INCIDENT_WEBHOOK_URL', 'DEAD_MANS_SWITCH_URL', 'OIDC_ISSUER'])(
    '%s is https but on this machine, whatever is allowed',
    (name) => {
      const problem = new RegExp(`^${name}: must be https`);
      for (const more of [{}, { ALLOW_PLAINTEXT: '1' }, { NODE_ENV: 'development' }]) {
        for (const plain of ['http://gateway.example/x', 'http://10.0.0.7:8080', 'http://localhost.example'])
          expect(refuses({ ...SAFE, ...more, [name]: plain }, problem)).toBe(true);
        expect(refuses({ ...SAFE, ...more, [name]: 'https://gateway.example/x' }, problem)).toBe(false);
      }
    },
  );

  it('is allowed by nothing but its name', () => {
    for (const wrong of ['true', 'yes', '01']) {
      expect(problemsOf({ ...SAFE, ALLOW_PLAINTEXT: wrong })).toEqual(['ALLOW_PLAINTEXT: must be 1 or 0']);
    }
    expect(problemsOf({ ...REMOTE, ALLOW_PLAINTEXT: '0' })).toHaveLength(3);
  });
});

describe('C8: where money goes', () => {
  it('has to be said by name', () => {
    const { PAYMENT_GATEWAYS: _named, ...unnamed } = SAFE;
    expect(problemsOf(unnamed)).toEqual([expect.stringMatching(GATEWAY)]);
    expect(readConfig({ ...unnamed, STRIPE_SECRET_KEY: 'sk_test_0123456789' }).payments).toMatchObject([
      { id: 'stripe' },
    ]);
    expect(readConfig(SAFE).payments).toMatchObject([{ id: 'sandbox' }]);
    expect(readConfig({ ...unnamed, NODE_ENV: 'development' }).payments).toMatchObject([{ id: 'sandbox' }]);
  });
});
