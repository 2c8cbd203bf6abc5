import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { startPostgres } from '../../scripts/services/postgres.ts';

it('puts the log of a server aside when it has become long, and keeps a short one', async () => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), `roomy-test-${process.pid}-`));
  // The server may run as another account, which must be able to walk here.
  fs.chmodSync(home, 0o755);
  const dataDir = path.join(home, 'postgres');
  const log = path.join(dataDir, 'postgres.log');
  const bytesOf = (file: string): number | undefined => fs.statSync(file, { throwIfNoEntry: false })?.size;
  try {
    fs.mkdirSync(dataDir);
    fs.writeFileSync(log, '');
    fs.truncateSync(log, 20_000_001);
    const postgres = await startPostgres({ dataDir, settings: { fsync: 'off' } });
    try {
      expect([bytesOf(`${log}.1`), fs.readFileSync(log, 'utf8')]).toEqual([
        20_000_001,
        expect.stringContaining('database system is ready to accept connections'),
      ]);
      const before = bytesOf(log) ?? 0;
      await postgres.restart();
      expect([bytesOf(`${log}.1`), (bytesOf(log) ?? 0) > before]).toEqual([20_000_001, true]);
    } finally {
      await postgres.stop();
    }
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
});
