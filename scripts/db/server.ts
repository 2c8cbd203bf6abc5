import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { migrate } from '../../src/db/migrate.ts';
import { startPostgres } from '../services/postgres.ts';

/** Gives a database with all migrations of this tree, of a server of its own that is gone afterwards. */
export async function withMigratedDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-schema-'));
  // The server may run as another account, which must be able to walk here.
  fs.chmodSync(home, 0o755);
  try {
    const postgres = await startPostgres({ dataDir: home, settings: { fsync: 'off' } });
    try {
      await migrate(postgres.url);
      return await work(postgres.url);
    } finally {
      await postgres.stop();
    }
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
}
