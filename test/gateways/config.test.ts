import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';

const BASE = {
  NODE_ENV: 'test',
  DATABASE_URL: 'postgres://x',
  REDIS_URL: 'redis://x',
  JWT_KEYS: 'k1:0123456789abcdef0123456789abcdef',
  ROOMY_DATA_DIR: '/var/roomy',
};
const KEY = 'sk_test_0123456789';
const payments = (environment: Readonly<Record<string, string>> = {}) =>
  readConfig({ ...BASE, ...environment }).payments.map(({ id, settings }) => ({ id, settings }));

describe('the configuration of payments', () => {
  it('is the sandbox, until Stripe has a key', () => {
    const sandbox = { id: 'sandbox', settings: { dir: path.resolve('/var/roomy'), feeBp: 290, gatewayIds: [] } };
    expect(payments()).toEqual([sandbox]);
    expect(payments({ STRIPE_SECRET_KEY: KEY })).toEqual([
      { id: 'stripe', settings: { secretKey: KEY, webhookSecrets: [], apiUrl: null } },
    ]);
    expect(payments({ STRIPE_SECRET_KEY: KEY, PAYMENT_GATEWAYS: 'sandbox' })).toEqual([sandbox]);
  });

  it('takes both, two webhook secrets, and a stand-in on this machine', () => {
    const config = payments({
      PAYMENT_GATEWAYS: 'stripe, sandbox',
      STRIPE_SECRET_KEY: KEY,
      STRIPE_WEBHOOK_SECRET: 'whsec_0123456789abcdef,whsec_fedcba9876543210',
      STRIPE_API_URL: 'http://127.0.0.1:12111',
      SANDBOX_FEE_BP: '0',
      SANDBOX_GATEWAYS: 'gateway-eu, gateway-us,gateway-eu',
    });
    expect(config).toMatchObject([
      { id: 'sandbox', settings: { feeBp: 0, gatewayIds: ['gateway-eu', 'gateway-us'] } },
      {
        id: 'stripe',
        settings: {
          webhookSecrets: ['whsec_0123456789abcdef', 'whsec_fedcba9876543210'],
          apiUrl: 'http://127.0.0.1:12111',
        },
      },
    ]);
  });

  it.each([
    ['PAYMENT_GATEWAYS', 'paypal'],
    ['PAYMENT_GATEWAYS', 'sandbox,paypal'],
    ['PAYMENT_GATEWAYS', ','],
    ['STRIPE_SECRET_KEY', 'pk_test_0123456789'],
    ['STRIPE_WEBHOOK_SECRET', 'hush-hush-hush-hush'],
    ['STRIPE_API_URL', 'http://stripe.example.com'],
    ['STRIPE_API_URL', 'ftp://127.0.0.1'],
    ['SANDBOX_FEE_BP', '-1'],
    ['SANDBOX_GATEWAYS', 'gateway 1'],
    ['SANDBOX_GATEWAYS', 'gateway-eu,Stripe'],
    ['SANDBOX_GATEWAYS', 'gateway-eu,Bank'],
  ])('refuses %s=%s, by name and without the value', (name, value) => {
    expect(() => payments({ [name]: value })).toThrow(new RegExp(`  ${name}: `));
    if (value.length > 1 && !value.includes('sandbox')) expect(() => payments({ [name]: value })).not.toThrow(value);
  });

  it('refuses ids of the sandbox where it is off', () => {
    const attempt = () => payments({ STRIPE_SECRET_KEY: KEY, SANDBOX_GATEWAYS: 'gateway-eu' });
    expect(attempt).toThrow(/SANDBOX_GATEWAYS: needs PAYMENT_GATEWAYS to have sandbox/);
  });

  it('says that Stripe has no key together with all else that is wrong', () => {
    const attempt = () => payments({ PAYMENT_GATEWAYS: 'stripe', SANDBOX_FEE_BP: 'x' });
    expect(attempt).toThrow(/SANDBOX_FEE_BP[\s\S]*STRIPE_SECRET_KEY: is required/);
  });
});
