import { parseArgs } from 'node:util';
import { readAccountConfig } from './config.ts';
import { createDb, createPool, type Db } from './db/client.ts';
import { linkForAdmin } from './domain/people/first-admin.ts';
import { canonicalEmail } from './kernel/email.ts';

/**
 * `npm run -s account -- --email hana@example.com --name "Hana Saleh"`: makes the first administrator and prints a link that
 * signs in once, within 15 minutes. Later it prints a new link for the address of an administrator, and for nobody else;
 * with `--new-authenticator` for one who has lost the phone.
 */

let db: Db | undefined;
try {
  const { values } = parseArgs({
    options: {
      email: { type: 'string' },
      name: { type: 'string' },
      'new-authenticator': { type: 'boolean', default: false },
    },
  });
  const email = canonicalEmail(values.email ?? '');
  if (email === null) throw new RangeError('--email must be an e-mail address');
  const { databaseUrl, publicUrl } = readAccountConfig();
  db = createDb(createPool({ connectionString: databaseUrl, max: 1, applicationName: 'roomy-account' }));
  const { kind, secret } = await linkForAdmin(db, {
    email,
    name: values.name,
    newAuthenticator: values['new-authenticator'],
  });
  process.stdout.write(`${publicUrl}/${kind === 'INVITATION' ? 'invitations' : 'sign-in'}/${secret}\n`);
} catch (error) {
  console.error(
    isWithoutSchema(error) ? 'the database has no schema of this version: npm run migrate' : wordsOf(error),
  );
  process.exitCode = 1;
} finally {
  await db?.destroy();
}

/** Postgres: there is no such table, or column. */
function isWithoutSchema(error: unknown): boolean {
  return error instanceof Error && ['42P01', '42703'].includes(String(Reflect.get(error, 'code')));
}
function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : 'no link could be made';
}
