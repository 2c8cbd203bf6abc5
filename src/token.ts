import { parseArgs } from 'node:util';
import { readJwtConfig } from './config.ts';
import { ROLES } from './http/auth.ts';
import { mintToken, type TokenRequest } from './http/mint.ts';
import { SCOPES } from './http/policy.ts';
import { systemClock } from './kernel/clock.ts';

/** `npm run -s token -- --role ADMIN --sub admin-1 [--expires 1h]`, or `--scope "..."` for a service client: prints the token, and nothing else. */

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

function secondsOf(text: string): number {
  const match = /^(\d{1,5})([smh]?)$/.exec(text);
  if (!match) throw new RangeError('--expires must be like 45s, 30m or 1h');
  return Number(match[1]) * (UNIT_SECONDS[match[2] ?? ''] ?? 1);
}

function grantOf(role: string | undefined, scope: string | undefined): TokenRequest['grant'] {
  if ((role === undefined) === (scope === undefined)) throw new RangeError('give either --role or --scope');
  if (scope !== undefined) {
    const unknown = scope.split(' ').filter((name) => !SCOPES.includes(name));
    if (unknown.length > 0) throw new RangeError(`--scope may hold ${SCOPES.join(', ')}`);
    return { scope };
  }
  const known = ROLES.find((name) => name === role);
  if (known === undefined) throw new RangeError(`--role must be one of ${ROLES.join(', ')}`);
  return { role: known };
}

try {
  const { values } = parseArgs({
    options: {
      role: { type: 'string' },
      scope: { type: 'string' },
      sub: { type: 'string' },
      expires: { type: 'string', default: '1h' },
    },
  });
  if (values.sub === undefined) throw new RangeError('--sub is required');
  const token = await mintToken(readJwtConfig(), systemClock, {
    sub: values.sub,
    grant: grantOf(values.role, values.scope),
    lifetimeSeconds: secondsOf(values.expires),
  });
  process.stdout.write(`${token}\n`);
} catch (error) {
  console.error(error instanceof Error ? error.message : 'no token could be made');
  process.exitCode = 1;
}
