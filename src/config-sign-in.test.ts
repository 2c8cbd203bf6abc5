import { describe, expect, it } from 'vitest';
import { readIdentityProvider } from './config-sign-in.ts';

const COMPLETE = {
  OIDC_ISSUER: 'https://id.example/realms/agency',
  OIDC_CLIENT_ID: 'roomy',
  OIDC_CLIENT_SECRET: 'hunter2hunter2',
};

describe('an identity provider', () => {
  it('is off without settings', () => {
    expect(readIdentityProvider({}, true)).toEqual({ on: null, problems: [] });
  });

  it('is on with its three settings; what it says of factors counts only if that is named', () => {
    expect(readIdentityProvider(COMPLETE, true).on).toEqual({
      issuer: 'https://id.example/realms/agency',
      clientId: 'roomy',
      clientSecret: 'hunter2hunter2',
      name: 'your organisation',
      secondFactors: [],
    });
    const named = readIdentityProvider({ ...COMPLETE, OIDC_NAME: ' Acme ', OIDC_MFA_AMR: 'mfa, hwk' }, true).on;
    expect([named?.name, named?.secondFactors]).toEqual(['Acme', ['mfa', 'hwk']]);
  });

  it.each(Object.keys(COMPLETE))('is refused without %s', (name) => {
    const { on, problems } = readIdentityProvider({ ...COMPLETE, [name]: undefined }, true);
    expect([on, problems]).toEqual([null, [`${name}: is required with the other settings of OIDC`]]);
  });

  it.each([
    ['http://id.example', true, 'must be https, except on this machine'],
    ['http://id.example', false, 'must be https, except on this machine'],
    ['http://localhost:4000', true, 'must be https in production'],
    ['https://id.example/?tenant=1', true, 'must have no query and no fragment'],
    ['id.example', true, 'must be a http: or https: URL'],
  ])('at %s is refused (production: %j)', (OIDC_ISSUER, production, problem) => {
    const { on, problems } = readIdentityProvider({ ...COMPLETE, OIDC_ISSUER }, production);
    expect(on).toBeNull();
    expect(problems).toContain(`OIDC_ISSUER: ${problem}`);
    expect(problems.join()).not.toContain('hunter2');
  });

  it('on this machine may be http in development', () => {
    const OIDC_ISSUER = 'http://localhost:4000';
    expect(readIdentityProvider({ ...COMPLETE, OIDC_ISSUER }, false).on?.issuer).toBe(OIDC_ISSUER);
  });
});
