import { expect, it } from 'vitest';
import { readConfig } from './config.ts';
import { gapsOf } from './config-gaps.ts';

const SECRET = '0123456789-abcdefghijklmnopqrstuvwxyz';
const BASE = {
  DATABASE_URL: 'postgres://localhost/x',
  REDIS_URL: 'redis://localhost',
  JWT_KEYS: `k1:${SECRET}`,
  SEAL_KEYS: `s1:${SECRET}`,
  PAYMENT_GATEWAYS: 'sandbox',
};
const namesOf = (more: Readonly<Record<string, string>>): string[] =>
  gapsOf(readConfig({ ...BASE, ...more })).map((line) => line.slice(0, line.indexOf(' ')));

it('tells production of what it lacks, and nobody else', () => {
  expect(namesOf({})).toEqual(['SMTP_URL', 'OPS_EMAIL', 'PUBLIC_URL', 'FIELD_KEYS', 'AUDIT_SEAL_KEYS']);
  expect(namesOf({ NODE_ENV: 'development' })).toEqual([]);
  const set = { SMTP_URL: 'smtp://mail.agency.ae', OPS_EMAIL: 'ops@agency.ae', PUBLIC_URL: 'https://crm.agency.ae' };
  expect(namesOf(set)).toEqual(['FIELD_KEYS', 'AUDIT_SEAL_KEYS']);
});
