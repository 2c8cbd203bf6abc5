import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FOLDER, sqlBook } from './book.ts';

/** `npm run docs:sql`: writes `docs/sql` as the source makes it, and removes files of statements that are no more. */
const book = sqlBook();
await mkdir(FOLDER, { recursive: true });
for (const file of await readdir(FOLDER)) if (!book.has(file)) await rm(path.join(FOLDER, file));
for (const [file, text] of book) await writeFile(path.join(FOLDER, file), text);
console.log(`docs/sql: ${book.size - 1} statements and their index`);
