import { generateKeyPairSync, randomBytes } from 'node:crypto';

/** Which keys sign and check the tokens of an installation on this machine. */

export type Variables = Readonly<Record<string, string | undefined>>;

/** Together they say by which keys tokens count: one of them from one place and one from another would be a third set. */
const TOKEN_KEYS: readonly string[] = ['JWT_KEYS', 'JWT_SIGNING_KEYS'];

export const hasTokenKeys = (env: Variables): boolean => TOKEN_KEYS.some((name) => (env[name] ?? '') !== '');

/** Later ones count more, and the keys of tokens come from the last one that has any. */
export function mergedByPlace(places: readonly Variables[]): Record<string, string | undefined> {
  const keysFrom = places.findLast((place) => hasTokenKeys(place));
  return Object.fromEntries(
    places.flatMap((place) =>
      Object.entries(place).filter(([name]) => place === keysFrom || !TOKEN_KEYS.includes(name)),
    ),
  );
}

const newKeyPair = (kid: string): string =>
  `${kid}:${generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')}`;

/** Secrets of a data folder: those that are known, and what is missing made anew. An earlier version has made `JWT_KEYS` there, which count on, and open what it has sealed. */
export function completedSecrets(known: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return {
    JWT_SIGNING_KEYS: newKeyPair('local-1'),
    AUDIT_SEAL_KEYS: newKeyPair('audit-1'),
    FIELD_KEYS: `field-1:${randomBytes(32).toString('base64url')}`,
    SEAL_KEYS: [`seal-1:${randomBytes(32).toString('base64url')}`, known['JWT_KEYS']].filter(Boolean).join(','),
    ...known,
  };
}

/** What a start works with: the shell's own keys, or those of the data folder. */
export function keysOfStart(secrets: Variables, shell: Variables): Readonly<Record<string, string>> {
  const set = Object.fromEntries(Object.entries(shell).filter(([, value]) => value !== ''));
  const merged = mergedByPlace([secrets, set]);
  return Object.fromEntries(
    [...TOKEN_KEYS, 'SEAL_KEYS', 'AUDIT_SEAL_KEYS', 'FIELD_KEYS'].flatMap((name) => {
      const value = merged[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}
