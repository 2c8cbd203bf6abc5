import { describe, expect, it } from 'vitest';
import type { Caller } from './auth.ts';
import { methodsAt } from './methods.ts';
import { assertPoliciesMatch, POLICIES, permits, policyOf, SCOPES } from './policy.ts';

const routes = Object.keys(POLICIES).map((name) => {
  const [method = '', path = ''] = name.split(' ');
  return { method, path };
});
const confirm = policyOf('POST', '/api/production/reservations/:id/confirm');

describe('the policy table', () => {
  it('refuses an endpoint that nobody has decided about', () => {
    expect(() => policyOf('GET', '/api/production/secrets')).toThrow('without a policy');
    expect(() => policyOf('GET', '__proto__')).toThrow('without a policy');
    expect(() => assertPoliciesMatch([...routes, { method: 'GET', path: '/debug' }])).toThrow('GET /debug');
  });

  it('refuses an entry that no endpoint uses', () => {
    expect(() => assertPoliciesMatch(routes.slice(1))).toThrow('policies without an endpoint');
    expect(() => assertPoliciesMatch([...routes, { method: 'ALL', path: '/*' }])).not.toThrow();
  });

  it('leaves open only the first page, health, the description of the API and its errors, the pages’ style and the phone page’s files, and what is signed or secret by its address', () => {
    const open = Object.keys(POLICIES).filter((name) => POLICIES[name] === 'anonymous');
    // Pages of the sign-in: a link's secret, or a session's cookie from one of our own pages (security.md S1, S2).
    const signIn =
      /^(?:GET|POST) \/(?:sign-in|sign-out|invitations|account|session|owner|passkeys|oidc|console)(?:\/|$)/;
    const signed = new Set([
      'POST /api/production/webhooks/:provider',
      'GET /calendar/:file',
      'GET /approvals/:token',
      'POST /approvals/:token/approve',
      'POST /approvals/:token/decline',
      'GET /reports/:token',
      'GET /stay/:token',
      'GET /offers/:token',
      'POST /offers/:token/accept',
      'POST /offers/:token/decline',
    ]);
    const rest = open.filter((name) => !signed.has(name) && !signIn.test(name));
    expect(
      rest.every((name) =>
        /^GET \/(?:$|(?:health|healthz|readyz|openapi\.json|style\.css|charts|docs|problems|work|\.well-known\/jwks\.json)(?:\/|$))/.test(
          name,
        ),
      ),
    ).toBe(true);
  });

  it('lets only ADMIN and AGENT confirm, and services with the scope', () => {
    if (confirm === 'anonymous') throw new Error('confirm is open');
    const person = (role: 'ADMIN' | 'AGENT' | 'FINANCE' | 'GUEST' | null): Caller => ({
      kind: 'person',
      principal: 'x',
      role,
    });
    const service = (...scopes: string[]): Caller => ({
      kind: 'service',
      principal: 'service:x',
      scopes: new Set(scopes),
    });
    expect(permits(confirm, person('ADMIN'))).toBe(true);
    expect(permits(confirm, person('AGENT'))).toBe(true);
    expect(permits(confirm, person('FINANCE'))).toBe(false);
    expect(permits(confirm, person('GUEST'))).toBe(false);
    expect(permits(confirm, person(null))).toBe(false);
    expect(permits(confirm, service('reservations:confirm'))).toBe(true);
    expect(permits(confirm, service('reservations:read', 'owners:write'))).toBe(false);
  });

  it('has no scope for what only people may do', () => {
    expect(SCOPES).toContain('reservations:confirm');
    expect(SCOPES).not.toContain('sagas:operate');
    expect(SCOPES).not.toContain('owners:write');
  });

  it('knows the methods of an address', () => {
    expect(methodsAt('/api/production/owners')).toEqual(['GET', 'HEAD', 'POST']);
    expect(methodsAt('/api/production/reservations/reservation-1/confirm')).toEqual(['POST']);
    expect(methodsAt('/api/production/events/stream')).toEqual(['GET']);
    expect(methodsAt('/api/production/owners/')).toEqual([]);
    expect(methodsAt('/openapiXjson')).toEqual([]);
  });
});
