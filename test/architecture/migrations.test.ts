import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrationProblems, recordMigrations } from '../../scripts/db/checksums.ts';
import { MIGRATION_FILE, MIGRATIONS } from '../../src/db/migrate.ts';

describe('migrations', () => {
  const files = fs.readdirSync(MIGRATIONS).toSorted();

  it('are SQL files, beside what is generated from them', () => {
    expect(files.filter((name) => !MIGRATION_FILE.test(name))).toEqual(['checksums.txt', 'schema.sql']);
  });

  it('are numbered without a gap and without a double', () => {
    const numbers = files.filter((name) => MIGRATION_FILE.test(name)).map((name) => Number(name.slice(0, 4)));
    expect(numbers).toEqual(numbers.map((_number, index) => index + 1));
  });

  it('are not edited once they are merged', () => {
    expect(migrationProblems(MIGRATIONS)).toEqual([]);
  });
});

describe('the checksums of migrations', () => {
  let folder: string;
  const write = (name: string, text: string) => fs.writeFileSync(path.join(folder, name), text);
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-migrations-'));
    write('0001_first.sql', 'SELECT 1;\n');
    write('0002_second.sql', 'SELECT 2;\n');
    recordMigrations(folder);
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  it('tell that one was edited, and stay as they are', () => {
    write('0001_first.sql', 'SELECT 3;\n');
    recordMigrations(folder);
    expect(migrationProblems(folder)).toEqual([
      expect.stringMatching(/^0001_first\.sql was edited\. A merged migration is never changed/),
    ]);
  });

  it('tell that one was removed', () => {
    fs.rmSync(path.join(folder, '0002_second.sql'));
    expect(migrationProblems(folder)).toEqual([expect.stringMatching(/^0002_second\.sql is gone/)]);
  });

  it('ask for that of a new one, and then hold it', () => {
    write('0003_third.sql', 'SELECT 3;\n');
    expect(migrationProblems(folder)).toEqual([expect.stringMatching(/^0003_third\.sql has no checksum/)]);
    recordMigrations(folder);
    expect(migrationProblems(folder)).toEqual([]);
  });
});
