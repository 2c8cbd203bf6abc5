import { parseArgs } from 'node:util';
import { writingTo } from './backup/file.ts';
import { endingWithCode, untilSignal } from './backup/program.ts';
import { newKeyPair } from './backup/seal.ts';
import { writeBackup } from './backup/write.ts';
import { readBackupConfig } from './config-backup.ts';

/**
 * `npm run backup -- <file>`: all of the database, as one snapshot and encrypted, in a new file; `npm run -s backup -- -` writes to
 * standard output. `npm run -s backup -- --new-key` prints a pair of keys and does nothing else. Code 1 when there is no backup.
 */
await endingWithCode('backup', async (log) => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'new-key': { type: 'boolean', default: false } },
  });
  if (values['new-key']) {
    const { identity, recipient } = await newKeyPair();
    process.stdout.write(`BACKUP_RECIPIENTS=${recipient}\nBACKUP_IDENTITIES=${identity}\n`);
    return 0;
  }
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new RangeError('usage: npm run backup -- <file, or - >');
  const { databaseUrl, lock } = readBackupConfig();
  const { header, tables } = await untilSignal((signal) =>
    writingTo(name, (to) => writeBackup({ databaseUrl, lock, to, signal })),
  );
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  log.info({ takenAt: header.takenAt, tables: tables.length, rows }, 'backed up');
  return 0;
});
