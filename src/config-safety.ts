import { isThisMachine, type Transport, transportTo } from './db/transport.ts';

/**
 * Settings that must not be in production by an oversight: data that crosses a network in the clear (for money that goes to a
 * sandbox see `unnamedGateways`). It is allowed by name. One line for each problem, never with a value.
 */

export interface SafetySettings {
  readonly NODE_ENV: string;
  readonly ALLOW_PLAINTEXT: boolean;
  readonly DATABASE_URL: string;
}

/** Everything that does not say what else it is: a setting that is missing or misspelled must not make a system careless. */
export const isProduction = (nodeEnv: string): boolean => nodeEnv !== 'development' && nodeEnv !== 'test';

const ALLOW = 'or set ALLOW_PLAINTEXT=1 where the network between them is your own';

export function databaseProblems({ NODE_ENV, ALLOW_PLAINTEXT, DATABASE_URL }: SafetySettings): string[] {
  if (!isProduction(NODE_ENV) || ALLOW_PLAINTEXT) return [];
  let transport: Transport;
  try {
    transport = transportTo(DATABASE_URL);
  } catch {
    return ['DATABASE_URL: names a certificate or an option that the driver cannot use'];
  }
  if (transport === 'checked') return [];
  if (transport === 'clear')
    return [`DATABASE_URL: goes to another host in the clear: add sslmode=verify-full, ${ALLOW}`];
  return [`DATABASE_URL: goes to another host without asking who that is: use sslmode=verify-full, ${ALLOW}`];
}

export function redisProblems(
  settings: Omit<SafetySettings, 'DATABASE_URL'> & { readonly REDIS_URL: string },
): string[] {
  if (!isProduction(settings.NODE_ENV) || settings.ALLOW_PLAINTEXT) return [];
  const { protocol, hostname } = new URL(settings.REDIS_URL);
  // Without a host ioredis connects to this machine.
  if (protocol === 'rediss:' || hostname === '' || isThisMachine(hostname)) return [];
  return [`REDIS_URL: goes to another host in the clear: use rediss:, ${ALLOW}`];
}

/** Every page in the world could call the API with the token that somebody pastes into it. */
export function originProblems({
  NODE_ENV,
  CORS_ORIGINS,
}: Pick<SafetySettings, 'NODE_ENV'> & { readonly CORS_ORIGINS: readonly string[] }): string[] {
  if (!isProduction(NODE_ENV) || !CORS_ORIGINS.includes('*')) return [];
  return ['CORS_ORIGINS: * lets every page call the API: name the origins'];
}
