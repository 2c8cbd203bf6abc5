import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, inject } from 'vitest';
import { hearStatements } from './statements-heard.ts';

/** Before each file of tests that has a database: what it sends is looked at when all have run (`global.ts`). */
const heard = hearStatements();
afterAll(() => {
  for (const text of heard) {
    const name = createHash('sha1').update(text).digest('hex');
    fs.writeFileSync(path.join(inject('statementsFolder'), name), text);
  }
});
