import { z } from 'zod';
import { ConfigError, environmentOfProcess, readMigrationConfig } from './config.ts';
import { issuesOf } from './config-providers.ts';
import { parts } from './gateways/environment.ts';

/** By what backups are encrypted, and opened. `config.ts` says which database, and by which account: that of its owner. */

const listOf = (shape: RegExp, what: string) =>
  z
    .string()
    .transform(parts)
    .refine((all) => all.length > 0 && all.every((one) => shape.test(one)), `must be ${what}, separated by commas`);

const Variables = z.object({
  BACKUP_RECIPIENTS: listOf(/^age1[a-z0-9]+$/, 'public keys of age (age1...)').optional(),
  BACKUP_IDENTITIES: listOf(/^AGE-SECRET-KEY-[A-Z0-9-]+$/, 'secret keys of age (AGE-SECRET-KEY-...)').optional(),
  BACKUP_PASSPHRASE: z.string().min(32, 'must have at least 32 characters').optional(),
});

export type BackupLock = { readonly recipients: readonly string[] } | { readonly passphrase: string };
export type BackupKey = { readonly identities: readonly string[] } | { readonly passphrase: string };
type Given = Readonly<Record<string, string | undefined>>;

function read(environment: Given): z.output<typeof Variables> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = Variables.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(issuesOf(parsed.error, given).join('\n'));
}

/** Exactly one of two ways. */
function either<T extends object>(first: T | null, second: T | null, names: string): T {
  if (first !== null && second !== null) throw new ConfigError(`${names}: only one of them may be set`);
  const one = first ?? second;
  if (one === null) throw new ConfigError(`${names}: one of them is required`);
  return one;
}

/** For `npm run backup`: the secret key is not needed, and best not there. Throws `ConfigError`. */
export function readBackupConfig(environment: Given = environmentOfProcess()): {
  readonly databaseUrl: string;
  readonly lock: BackupLock;
} {
  const { BACKUP_RECIPIENTS: recipients, BACKUP_PASSPHRASE: passphrase } = read(environment);
  const lock = either<BackupLock>(
    recipients ? { recipients } : null,
    passphrase ? { passphrase } : null,
    'BACKUP_RECIPIENTS or BACKUP_PASSPHRASE',
  );
  return { databaseUrl: readMigrationConfig(environment).databaseUrl, lock };
}

/** For looking through a backup, which needs no database. Throws `ConfigError`. */
export function readBackupKey(environment: Given = environmentOfProcess()): BackupKey {
  const { BACKUP_IDENTITIES: identities, BACKUP_PASSPHRASE: passphrase } = read(environment);
  return either<BackupKey>(
    identities ? { identities } : null,
    passphrase ? { passphrase } : null,
    'BACKUP_IDENTITIES or BACKUP_PASSPHRASE',
  );
}

/** For `npm run restore`: as migrations, which it ends with. Throws `ConfigError`. */
export const readRestoreConfig = (environment: Given = environmentOfProcess()) => ({
  ...readMigrationConfig(environment),
  key: readBackupKey(environment),
});
