import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { loadDemo } from '../../src/demo/load.ts';
import { recordAudit } from '../../src/domain/audit/record.ts';
import { PAYING_OUT } from '../../src/sagas/paying-out.ts';
import { contentsOf } from '../setup/backups.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../setup/database.ts';

/** `npm run backup` and `npm run restore`, as a person or a schedule starts them. */

const ROOT = path.join(import.meta.dirname, '../..');
let folder: string;
let source: TestDatabase;
let target: TestDatabase;
let keys: Readonly<Record<string, string>>;

interface Ended {
  readonly code: number | null;
  readonly out: Buffer;
  readonly said: readonly Readonly<Record<string, unknown>>[];
}
async function run(
  program: 'backup' | 'restore',
  args: readonly string[],
  env: object,
  input?: Buffer,
): Promise<Ended> {
  const child = spawn(process.execPath, [`src/${program}.ts`, ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], NODE_ENV: 'test', ...env },
  });
  // One that is refused at once reads nothing.
  child.stdin.on('error', () => undefined).end(input);
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err] = await Promise.all([buffer(child.stdout), text(child.stderr)]);
  const said = err
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return { code: await code, out, said };
}
const backup = (args: readonly string[], env: object = {}) =>
  run('backup', args, { DATABASE_URL: source.url, BACKUP_RECIPIENTS: keys['BACKUP_RECIPIENTS'], ...env });
const restore = (args: readonly string[], env: object = {}, input?: Buffer) =>
  run('restore', args, { DATABASE_URL: target.url, BACKUP_IDENTITIES: keys['BACKUP_IDENTITIES'], ...env }, input);
const at = (name: string): string => path.join(folder, name);
async function inside<T>(url: string, look: (db: Db) => Promise<T>): Promise<T> {
  const db = createDb(createPool({ connectionString: url, max: 1, applicationName: 'test' }));
  try {
    return await look(db);
  } finally {
    await db.destroy();
  }
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'roomy-backup-'));
  source = await createTestDatabase();
  target = await createEmptyDatabase();
  await inside(source.url, (db) => loadDemo(db, new Date('2027-03-01T08:00:00Z')));
  const made = await run('backup', ['--new-key'], {});
  keys = Object.fromEntries(
    made.out
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.split('=') as [string, string]),
  );
});
afterAll(async () => {
  await source?.drop();
  await target?.drop();
  await rm(folder, { recursive: true, force: true });
});

it('writes a file that is there as a whole, for its owner alone, and not over another', async () => {
  const first = await backup([at('a.age')]);
  expect(first).toMatchObject({ code: 0, said: [{ msg: 'backed up', level: 30 }] });
  expect(first.out.length).toBe(0);
  expect((await stat(at('a.age'))).mode & 0o777).toBe(0o600);
  const bytes = await readFile(at('a.age'));
  expect(await backup([at('a.age')])).toMatchObject({
    code: 1,
    said: [{ problems: [expect.stringContaining('is there already')] }],
  });
  expect((await readFile(at('a.age'))).equals(bytes)).toBe(true);
  expect(await backup([at('b.age')], { DATABASE_URL: target.url })).toMatchObject({ code: 1 });
  expect(await backup([at('nowhere/b.age')])).toMatchObject({ code: 1 });
  expect(await readdir(folder)).toEqual(['a.age']);
});

it('says what is missing in its environment, and never a value', async () => {
  for (const [env, problem] of [
    [{ BACKUP_RECIPIENTS: '' }, /one of them is required/],
    [{ BACKUP_PASSPHRASE: 'x'.repeat(40) }, /only one of them/],
    [{ BACKUP_RECIPIENTS: 'hunter2' }, /^BACKUP_RECIPIENTS: must be public keys/],
    [{ BACKUP_RECIPIENTS: '', BACKUP_PASSPHRASE: 'hunter2' }, /^BACKUP_PASSPHRASE: must have at least 32/],
    [{ BACKUP_RECIPIENTS: 'age1hunter2' }, /no recipient of age/],
  ] as const) {
    const { code, said } = await backup([at('c.age')], env);
    expect({ code, problems: said[0]?.['problems'] }).toEqual({ code: 1, problems: [expect.stringMatching(problem)] });
    expect(JSON.stringify(said)).not.toContain('hunter2');
  }
  expect((await backup([])).code).toBe(1);
  expect((await restore([at('a.age'), 'b'])).code).toBe(1);
  expect(await readdir(folder)).toEqual(['a.age']);
});

it('looks through a file without a database, and says where one is broken', async () => {
  const whole = await restore(['--check', at('a.age')], { DATABASE_URL: '' });
  expect(whole).toMatchObject({ code: 0, said: [{ msg: 'the backup is whole' }] });
  await writeFile(at('cut.age'), (await readFile(at('a.age'))).subarray(0, -20));
  for (const args of [['--check', at('cut.age')], [at('cut.age')]]) {
    const cut = await restore(args);
    expect(cut).toMatchObject({
      code: 1,
      said: [{ problems: [expect.stringMatching(/cut off or was altered \(at /)] }],
    });
  }
});

it('restores from a pipe what was written into one, gives the accounts their rights, verifies it, and pauses all sagas', async () => {
  const { code, out } = await backup(['-']);
  expect(code).toBe(0);
  const restored = await restore(['-'], {}, out);
  expect(restored.said.map(({ msg }) => msg)).toEqual(['restored', 'verified']);
  expect(restored.code).toBe(0);
  const [here, there] = [await inside(source.url, contentsOf), await inside(target.url, contentsOf)];
  const changed = Object.keys(here).filter((table) => here[table] !== there[table]);
  expect(changed.toSorted()).toEqual(['audit_log', 'hold']);
  const held = await inside(target.url, (db) =>
    db.selectFrom('hold').select('subject').where('released_at', 'is', null).orderBy('subject').execute(),
  );
  expect(held.map(({ subject }) => subject)).toEqual(['ALL', ...PAYING_OUT]);
  const again = await restore(['-'], {}, out);
  expect(again).toMatchObject({ code: 1, said: [{ problems: [expect.stringMatching(/into an empty database/)] }] });
});

it('says of a restored database which of FIELD_KEYS are missing', async () => {
  const other = await createEmptyDatabase();
  await inside(source.url, (db) =>
    sql`INSERT INTO data_key (id, subject, wrapped, wrapped_by) VALUES ('k', 'guest:k', decode(repeat('00', 60), 'hex'), 'lost/000000000000')`.execute(
      db,
    ),
  );
  try {
    const { out } = await backup(['-']);
    const ended = await restore(['-'], { DATABASE_URL: other.url }, out);
    expect(ended.said.at(-1)).toMatchObject({
      missing: ['lost/000000000000'],
      msg: expect.stringMatching(/^FIELD_KEYS /),
    });
    expect(ended.code).toBe(2);
  } finally {
    await inside(source.url, (db) => sql`DELETE FROM data_key`.execute(db));
    await other.drop();
  }
});

it('says of a restored database whose books do not agree that they do not', async () => {
  await inside(source.url, async (db) => {
    const row = { streamId: 'thing:1', event: 'THING_CHANGED', actor: 'somebody', body: { outcome: 'success' } };
    await db.transaction().execute((tx) => recordAudit(tx, row));
    await sql`SET session_replication_role = replica`.execute(db);
    await sql`UPDATE audit_log SET body = '{}' WHERE seq = 1`.execute(db);
  });
  const other = await createEmptyDatabase();
  try {
    const { out } = await backup(['-']);
    const ended = await restore(['-'], { DATABASE_URL: other.url }, out);
    expect(ended.said.map(({ msg }) => msg)).toEqual(['restored', 'does not agree']);
    expect(ended.code).toBe(2);
  } finally {
    await other.drop();
  }
});
