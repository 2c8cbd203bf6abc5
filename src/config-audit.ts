import path from 'node:path';
import { z } from 'zod';
import { type KeyPair, keyPairs } from './config-keys.ts';
import type { SealKey } from './domain/audit/seals/seal.ts';

/** By what the audit trail is sealed, and where the copy of the seals is. `config.ts` reads the environment. */

export const AUDIT_VARIABLES = {
  AUDIT_SEAL_KEYS: keyPairs
    .refine((keys) => keys.every(({ alg }) => alg === 'EdDSA'), 'must be Ed25519 keys')
    .optional(),
  AUDIT_SEALS_DIR: z.string().min(1).optional(),
};
interface Variables {
  readonly AUDIT_SEAL_KEYS?: readonly KeyPair[] | undefined;
  readonly AUDIT_SEALS_DIR?: string | undefined;
}

/** The first key signs, each verifies; `directory` is absolute. */
export interface AuditSealSettings {
  readonly keys: readonly [SealKey, ...SealKey[]];
  readonly directory: string;
}

/** Null: the trail is not sealed. `dataDir`: below it, unless `AUDIT_SEALS_DIR` says where. */
export function auditSealSettings(env: Variables, dataDir: string): AuditSealSettings | null {
  const [first, ...others] = env.AUDIT_SEAL_KEYS ?? [];
  if (first === undefined) return null;
  return {
    keys: [first, ...others],
    directory: path.resolve(env.AUDIT_SEALS_DIR ?? path.join(dataDir, 'audit-seals')),
  };
}

export const auditProblems = ({ AUDIT_SEAL_KEYS: keys, AUDIT_SEALS_DIR: directory }: Variables): string[] =>
  keys === undefined && directory !== undefined ? ['AUDIT_SEAL_KEYS: is required with AUDIT_SEALS_DIR'] : [];
