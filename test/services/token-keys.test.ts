import { describe, expect, it } from 'vitest';
import { completedSecrets, hasTokenKeys, keysOfStart, mergedByPlace } from '../../scripts/services/token-keys.ts';
import { readConfig } from '../../src/config.ts';

/** `npm start`, and `npm run token` beside it, agree on the keys of tokens, whoever has set them. */

const OLD = { JWT_KEYS: 'local:made-by-an-earlier-version-0123456789-abc' };
const SHELL = { JWT_KEYS: 'mine:of-the-shell-0123456789-abcdefghijklmnopqrs' };
const BASE = { NODE_ENV: 'development', DATABASE_URL: 'postgres://localhost/x', REDIS_URL: 'redis://localhost' };

describe('the secrets of a data folder', () => {
  it('are two key pairs, a seal and a key of fields, made once, with which the programs start', () => {
    const made = completedSecrets({});
    expect(Object.keys(made)).toEqual(['JWT_SIGNING_KEYS', 'AUDIT_SEAL_KEYS', 'FIELD_KEYS', 'SEAL_KEYS']);
    expect(completedSecrets(made)).toEqual(made);
    const config = readConfig({ ...BASE, ...made });
    expect(config.jwt.signing).toMatchObject([{ kid: 'local-1', alg: 'EdDSA' }]);
    expect([config.jwt.keys, config.sealKeys.length, config.sealsWithTokenKeys]).toEqual([[], 1, false]);
    expect(config.fieldKeys.map(({ kid }) => kid)).toEqual(['field-1']);
    expect(config.auditSeals?.keys).toMatchObject([{ kid: 'audit-1' }]);
    expect(completedSecrets({})['JWT_SIGNING_KEYS']).not.toBe(made['JWT_SIGNING_KEYS']);
  });

  it('keep what an earlier version has made: its tokens count beside the new ones', () => {
    const made = completedSecrets(OLD);
    const config = readConfig({ ...BASE, ...made });
    expect(config.jwt.keys.map(({ kid }) => kid)).toEqual(['local']);
    expect(config.jwt.signing?.map(({ kid }) => kid)).toEqual(['local-1']);
    // And what they have sealed opens.
    expect(config.sealKeys.map(({ kid }) => kid)).toEqual(['seal-1', 'local']);
  });
});

describe('the keys of a start', () => {
  const secrets = completedSecrets(OLD);
  const { SEAL_KEYS, AUDIT_SEAL_KEYS, FIELD_KEYS } = secrets;
  const seals = { SEAL_KEYS, AUDIT_SEAL_KEYS, FIELD_KEYS };

  it('are those of the data folder, unless the shell has some', () => {
    expect(keysOfStart(secrets, { PATH: '/bin', JWT_KEYS: '' })).toEqual(secrets);
    expect(keysOfStart(secrets, SHELL)).toEqual({ ...SHELL, ...seals });
    const seal = { SEAL_KEYS: 's1:of-the-shell-0123456789-abcdefghijklmnopqrs' };
    expect(keysOfStart(secrets, seal)).toEqual({ ...secrets, ...seal });
  });

  it('are taken from one place by the programs beside it', () => {
    const running = { ...SHELL, DATABASE_URL: 'postgres://running' };
    expect(mergedByPlace([secrets, running, { PATH: '/bin' }])).toEqual({
      ...seals,
      ...running,
      PATH: '/bin',
    });
    const pairs = { JWT_SIGNING_KEYS: 'x' };
    const merged = mergedByPlace([secrets, running, pairs]);
    expect(merged).toMatchObject(pairs);
    expect(merged).not.toHaveProperty('JWT_KEYS');
    expect([hasTokenKeys({ JWT_KEYS: '' }), hasTokenKeys(pairs)]).toEqual([false, true]);
  });
});
