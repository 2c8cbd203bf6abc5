import { z } from 'zod';
import { type Given, issuesOf } from './config-providers.ts';
import { apiUrl, parts } from './gateways/environment.ts';
import type { IdentityProviderSettings } from './gateways/identity-provider.ts';

/** The identity provider by which people may sign in besides: off, unless it is named. `config.ts` reads the environment. */

const Environment = z.object({
  OIDC_ISSUER: apiUrl.refine((text) => !/[?#]/.test(text), 'must have no query and no fragment').optional(),
  OIDC_CLIENT_ID: z.string().max(500).optional(),
  OIDC_CLIENT_SECRET: z.string().max(2_000).optional(),
  OIDC_NAME: z.string().trim().min(1).max(60).default('your organisation'),
  OIDC_MFA_AMR: z.string().transform(parts).default([]),
});
const NEEDED = ['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET'] as const;

interface Read {
  readonly on: IdentityProviderSettings | null;
  /** One line for each, never with a value. */
  readonly problems: readonly string[];
}

/** Some of the settings alone are a mistake; none at all means that it is off. */
export function readIdentityProvider(given: Given, production: boolean): Read {
  const parsed = Environment.safeParse(given);
  if (!parsed.success) return { on: null, problems: issuesOf(parsed.error, given) };
  const missing = NEEDED.filter((name) => given[name] === undefined);
  if (missing.length === NEEDED.length) return { on: null, problems: [] };
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = parsed.data;
  if (issuer === undefined || clientId === undefined || clientSecret === undefined) {
    return { on: null, problems: missing.map((name) => `${name}: is required with the other settings of OIDC`) };
  }
  if (production && new URL(issuer).protocol !== 'https:') {
    return { on: null, problems: ['OIDC_ISSUER: must be https in production'] };
  }
  const { OIDC_NAME: name, OIDC_MFA_AMR: secondFactors } = parsed.data;
  return { on: { issuer, clientId, clientSecret, name, secondFactors }, problems: [] };
}
