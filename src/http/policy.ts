import { ROLES, type Role } from '../kernel/roles.ts';
import type { Caller } from './caller.ts';

/**
 * Who may call what: the one table. An endpoint that is not in it cannot be registered, and an entry without an endpoint
 * is refused too, so the table and the app never drift apart.
 */

export interface Policy {
  /** Named in a refusal; a service client has it as a scope. */
  readonly permission: string;
  readonly roles: readonly Role[];
  /** Whether a service client with that scope may call. */
  readonly service: boolean;
}
export type PolicyEntry = Policy | 'anonymous';

const people = (permission: string, ...roles: readonly Role[]): Policy => ({ permission, roles, service: false });
const open = (permission: string, ...roles: readonly Role[]): Policy => ({ permission, roles, service: true });

const API = '/api/production';

export const POLICIES: Readonly<Record<string, PolicyEntry>> = {
  'GET /': 'anonymous',
  'GET /health/live': 'anonymous',
  'GET /health/ready': 'anonymous',
  'GET /healthz': 'anonymous',
  'GET /readyz': 'anonymous',
  'GET /openapi.json': 'anonymous',
  'GET /.well-known/jwks.json': 'anonymous',
  'GET /docs': 'anonymous',
  'GET /style.css': 'anonymous',
  'GET /docs/:file': 'anonymous',
  'GET /problems': 'anonymous',
  'GET /problems/:code': 'anonymous',
  'GET /work': 'anonymous',
  'GET /work/:file': 'anonymous',
  // The caller proves itself with a signature over the body.
  [`POST ${API}/webhooks/:provider`]: 'anonymous',

  // People sign in on pages; what is sent there carries its own proof, a link's secret or a session's cookie.
  'GET /sign-in': 'anonymous',
  'POST /sign-in': 'anonymous',
  'POST /sign-in/demo': 'anonymous',
  'GET /sign-in/:token': 'anonymous',
  'POST /sign-in/:token': 'anonymous',
  'GET /invitations/:token': 'anonymous',
  'POST /invitations/:token': 'anonymous',
  'GET /account': 'anonymous',
  'GET /account/second-factor': 'anonymous',
  'POST /account/second-factor': 'anonymous',
  'POST /account/sessions/:id/end': 'anonymous',
  'POST /account/operations': 'anonymous',
  'POST /sign-out': 'anonymous',
  'POST /sign-out/everywhere': 'anonymous',
  'POST /session/token': 'anonymous',
  'GET /owner': 'anonymous',
  'GET /passkeys/:file': 'anonymous',
  'POST /passkeys/options': 'anonymous',
  'POST /passkeys/sign-in': 'anonymous',
  'POST /account/passkeys/options': 'anonymous',
  'POST /account/passkeys': 'anonymous',
  'POST /account/passkeys/:id/name': 'anonymous',
  'POST /account/passkeys/:id/removal': 'anonymous',
  'POST /oidc': 'anonymous',
  // The cookie of the browser that began it is the proof, once.
  'GET /oidc/callback': 'anonymous',
  'POST /account/identity': 'anonymous',
  'POST /account/identity/removal': 'anonymous',

  [`GET ${API}/accounts`]: people('accounts:read', 'ADMIN'),
  [`POST ${API}/accounts`]: people('accounts:write', 'ADMIN'),
  [`GET ${API}/accounts/:id`]: people('accounts:read', 'ADMIN'),
  [`PATCH ${API}/accounts/:id`]: people('accounts:write', 'ADMIN'),
  [`POST ${API}/accounts/:id/deactivate`]: people('accounts:write', 'ADMIN'),
  [`POST ${API}/accounts/:id/reactivate`]: people('accounts:write', 'ADMIN'),
  [`POST ${API}/accounts/:id/invitation`]: people('accounts:write', 'ADMIN'),
  [`DELETE ${API}/accounts/:id/sessions`]: people('accounts:write', 'ADMIN'),
  [`DELETE ${API}/accounts/:id/authenticator`]: people('accounts:write', 'ADMIN'),
  [`GET ${API}/me/sessions`]: people('sessions:own', ...ROLES),
  [`DELETE ${API}/me/sessions`]: people('sessions:own', ...ROLES),
  [`DELETE ${API}/me/sessions/:id`]: people('sessions:own', ...ROLES),

  [`GET ${API}/owners`]: people('owners:read', 'ADMIN', 'AGENT', 'FINANCE'),
  [`POST ${API}/owners`]: people('owners:write', 'ADMIN'),
  [`GET ${API}/owners/:id`]: people('owners:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`PATCH ${API}/owners/:id`]: people('owners:write', 'ADMIN'),

  [`GET ${API}/guests`]: open('guests:read', 'ADMIN', 'AGENT'),
  [`POST ${API}/guests`]: open('guests:write', 'ADMIN', 'AGENT'),
  [`GET ${API}/guests/:id`]: open('guests:read', 'ADMIN', 'AGENT'),
  [`PATCH ${API}/guests/:id`]: open('guests:write', 'ADMIN', 'AGENT'),

  [`GET ${API}/staff`]: people('staff:read', 'ADMIN', 'AGENT'),
  [`POST ${API}/staff`]: people('staff:write', 'ADMIN'),
  [`GET ${API}/staff/:id`]: people('staff:read', 'ADMIN', 'AGENT'),
  [`PATCH ${API}/staff/:id`]: people('staff:write', 'ADMIN'),
  [`GET ${API}/staff/:id/leave`]: people('staff:leave', 'ADMIN', 'AGENT'),
  [`POST ${API}/staff/:id/leave`]: people('staff:leave', 'ADMIN', 'AGENT'),
  [`DELETE ${API}/staff/:id/leave/:leaveId`]: people('staff:leave', 'ADMIN', 'AGENT'),

  // Owners see what is theirs: their properties, the stays there without the guest, and the work that is done there.
  [`GET ${API}/properties`]: open('properties:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`POST ${API}/properties`]: open('properties:write', 'ADMIN', 'AGENT'),
  [`GET ${API}/properties/:id`]: open('properties:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`PATCH ${API}/properties/:id`]: open('properties:write', 'ADMIN', 'AGENT'),

  [`GET ${API}/reservations`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`POST ${API}/reservations`]: open('reservations:write', 'ADMIN', 'AGENT'),
  [`GET ${API}/reservations/:id`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`PATCH ${API}/reservations/:id`]: open('reservations:write', 'ADMIN', 'AGENT'),
  [`POST ${API}/reservations/:id/confirm`]: open('reservations:confirm', 'ADMIN', 'AGENT'),
  [`POST ${API}/reservations/:id/check-in`]: open('reservations:check-in', 'ADMIN', 'AGENT'),
  [`POST ${API}/reservations/:id/check-out`]: open('reservations:check-out', 'ADMIN', 'AGENT'),
  [`GET ${API}/reservations/:id/check-out-report`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE'),
  [`GET ${API}/reservations/:id/check-out-report/link`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE'),
  // The address itself is the permission, for ten minutes.
  'GET /reports/:token': 'anonymous',
  // The address of the mail is the permission, as long as the stay is that guest's.
  [`POST ${API}/reservations/:id/guest-link`]: people('reservations:guest-link', 'ADMIN', 'AGENT'),
  'GET /stay/:token': 'anonymous',
  [`POST ${API}/reservations/:id/payment`]: open('payments:write', 'ADMIN', 'AGENT', 'FINANCE', 'GUEST'),
  [`POST ${API}/reservations/:id/cancel`]: open('reservations:cancel', 'ADMIN', 'AGENT', 'FINANCE', 'GUEST'),
  // Only the roles that answer for money may set the policy of a cancellation aside.
  [`POST ${API}/reservations/:id/refunds`]: people('refunds:override', 'ADMIN', 'FINANCE'),
  [`GET ${API}/reservations/:id/cancellation-quote`]: open('reservations:cancel', 'ADMIN', 'AGENT', 'FINANCE', 'GUEST'),

  // FINANCE sees the tasks that are its own to do, and no others.
  [`GET ${API}/tasks`]: open('tasks:read', 'ADMIN', 'AGENT', 'OWNER', 'FINANCE'),
  [`POST ${API}/tasks`]: open('tasks:write', 'ADMIN', 'AGENT'),
  // A guest's own stays: what is paid and due, the address, and the code of the door while it opens.
  [`GET ${API}/me/stays`]: people('stays:own', 'GUEST'),
  [`GET ${API}/me/stays/:id`]: people('stays:own', 'GUEST'),
  [`GET ${API}/me/tasks`]: people('tasks:work', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`POST ${API}/me/calendar`]: people('tasks:work', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`DELETE ${API}/me/calendar`]: people('tasks:work', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  // The address itself is the permission: it cannot be guessed, and can be revoked.
  'GET /calendar/:file': 'anonymous',

  [`GET ${API}/tasks/statistics`]: open('tasks:read', 'ADMIN', 'AGENT', 'OPS', 'OWNER', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`GET ${API}/tasks/:id`]: open('tasks:read', 'ADMIN', 'AGENT', 'OWNER', 'FINANCE', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`POST ${API}/tasks/:id/start`]: people('tasks:work', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`POST ${API}/tasks/:id/complete`]: people('tasks:work', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`PUT ${API}/tasks/:id/photos/:photoId`]: people('tasks:work', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`GET ${API}/tasks/:id/photos/:photoId`]: people('tasks:work', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`PATCH ${API}/tasks/:id`]: open('tasks:write', 'ADMIN', 'AGENT'),
  [`GET ${API}/tasks/:id/assignment`]: open('tasks:read', 'ADMIN', 'AGENT'),
  [`GET ${API}/assignment-rules`]: open('tasks:read', 'ADMIN', 'AGENT'),
  [`PATCH ${API}/assignment-rules`]: people('tasks:configure', 'ADMIN'),
  // An answer to an offer is the assignee's own; an administrator may give it for them.
  [`POST ${API}/tasks/:id/accept`]: people('tasks:answer', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`POST ${API}/tasks/:id/decline`]: people('tasks:answer', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),

  // The owner's own answer, or an agent's in the owner's name; on the page, the address of the mail is the permission.
  [`POST ${API}/tasks/:id/approval`]: people('repairs:approve', 'ADMIN', 'AGENT', 'OWNER'),
  'GET /approvals/:token': 'anonymous',
  'POST /approvals/:token/approve': 'anonymous',
  'POST /approvals/:token/decline': 'anonymous',
  // The link of the mail is the proof: the person who has it is the one who was asked.
  'GET /offers/:token': 'anonymous',
  'POST /offers/:token/accept': 'anonymous',
  'POST /offers/:token/decline': 'anonymous',

  [`GET ${API}/recurrences`]: open('recurrences:read', 'ADMIN', 'AGENT'),
  [`POST ${API}/recurrences`]: open('recurrences:write', 'ADMIN', 'AGENT'),
  [`GET ${API}/recurrences/:id`]: open('recurrences:read', 'ADMIN', 'AGENT'),
  [`PATCH ${API}/recurrences/:id`]: open('recurrences:write', 'ADMIN', 'AGENT'),
  [`DELETE ${API}/recurrences/:id`]: open('recurrences:write', 'ADMIN', 'AGENT'),

  [`GET ${API}/financial/summary`]: open('finance:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`GET ${API}/financial/income-distribution`]: open('finance:read', 'ADMIN', 'FINANCE', 'AGENT', 'OWNER'),
  [`GET ${API}/financial/income-distribution/versions`]: open('finance:read', 'ADMIN', 'FINANCE', 'AGENT', 'OWNER'),
  [`PUT ${API}/financial/income-distribution`]: people('finance:configure', 'ADMIN', 'FINANCE'),
  [`GET ${API}/financial/integrity`]: people('finance:integrity', 'ADMIN', 'FINANCE'),
  [`POST ${API}/financial/reconciliations`]: people('finance:reconcile', 'ADMIN', 'FINANCE'),
  [`GET ${API}/financial/reconciliations`]: people('finance:reconcile', 'ADMIN', 'FINANCE'),
  [`GET ${API}/financial/reconciliations/:id`]: people('finance:reconcile', 'ADMIN', 'FINANCE'),
  [`GET ${API}/financial/differences`]: people('finance:reconcile', 'ADMIN', 'FINANCE'),
  [`GET ${API}/financial/differences/:id`]: people('finance:reconcile', 'ADMIN', 'FINANCE'),
  [`POST ${API}/financial/differences/:id/explanation`]: people('differences:explain', 'ADMIN', 'FINANCE'),
  [`DELETE ${API}/financial/differences/:id/explanation`]: people('differences:explain', 'ADMIN', 'FINANCE'),
  [`POST ${API}/financial/differences/:id/correction`]: people('differences:book', 'ADMIN', 'FINANCE'),
  [`GET ${API}/owners/:id/balance`]: people('finance:read', 'ADMIN', 'FINANCE', 'OWNER'),
  [`GET ${API}/owners/:id/statement`]: people('finance:read', 'ADMIN', 'FINANCE', 'OWNER'),

  // What a second person decides about money; how much each may, an administrator sets.
  [`GET ${API}/approvals`]: people('approvals:read', 'ADMIN', 'FINANCE'),
  [`GET ${API}/approvals/:id`]: people('approvals:read', 'ADMIN', 'FINANCE'),
  [`POST ${API}/approvals/:id`]: people('approvals:decide', 'ADMIN', 'FINANCE'),
  [`GET ${API}/settings/approval-limits`]: people('approvals:read', 'ADMIN', 'FINANCE'),
  [`PUT ${API}/settings/approval-limits`]: people('approvals:configure', 'ADMIN'),

  [`GET ${API}/transactions`]: open('finance:read', 'ADMIN', 'AGENT', 'FINANCE'),
  [`GET ${API}/transactions/:id`]: open('finance:read', 'ADMIN', 'AGENT', 'FINANCE'),

  [`POST ${API}/transactions/:id/payout`]: people('payouts:write', 'ADMIN', 'FINANCE'),
  [`POST ${API}/transactions/:id/settlement`]: people('refunds:settle', 'ADMIN', 'FINANCE'),

  [`GET ${API}/notifications`]: people('notifications:read', 'ADMIN', 'AGENT', 'OPS'),
  [`GET ${API}/notifications/:id`]: people('notifications:read', 'ADMIN', 'AGENT', 'OPS'),

  [`GET ${API}/events`]: open('events:read', 'ADMIN', 'OPS'),
  [`GET ${API}/event-types`]: open('events:read', 'ADMIN', 'OPS'),
  [`GET ${API}/events/stream`]: open('events:read', 'ADMIN', 'OPS'),
  [`GET ${API}/api-keys`]: people('api-keys:read', 'ADMIN'),
  [`POST ${API}/api-keys`]: people('api-keys:write', 'ADMIN'),
  [`GET ${API}/api-keys/:id`]: people('api-keys:read', 'ADMIN'),
  [`DELETE ${API}/api-keys/:id`]: people('api-keys:write', 'ADMIN'),
  [`POST ${API}/api-keys/:id/rotate`]: people('api-keys:write', 'ADMIN'),
  [`POST ${API}/events/tickets`]: open('events:read', 'ADMIN', 'OPS'),
  [`GET ${API}/webhook-endpoints`]: people('webhooks:read', 'ADMIN', 'OPS'),
  [`POST ${API}/webhook-endpoints`]: people('webhooks:configure', 'ADMIN'),
  [`GET ${API}/webhook-endpoints/:id`]: people('webhooks:read', 'ADMIN', 'OPS'),
  [`PATCH ${API}/webhook-endpoints/:id`]: people('webhooks:configure', 'ADMIN'),
  [`DELETE ${API}/webhook-endpoints/:id`]: people('webhooks:configure', 'ADMIN'),
  [`POST ${API}/webhook-endpoints/:id/rotate-secret`]: people('webhooks:configure', 'ADMIN'),
  [`POST ${API}/webhook-endpoints/:id/enable`]: people('webhooks:configure', 'ADMIN', 'OPS'),
  [`POST ${API}/webhook-endpoints/:id/replay`]: people('webhooks:configure', 'ADMIN', 'OPS'),
  [`POST ${API}/webhook-endpoints/:id/test`]: people('webhooks:configure', 'ADMIN', 'OPS'),
  [`GET ${API}/webhook-endpoints/:id/deliveries`]: people('webhooks:read', 'ADMIN', 'OPS'),
  [`GET ${API}/sweep-failures`]: people('sweeps:read', 'ADMIN', 'OPS'),
  [`POST ${API}/sweep-failures/retry`]: people('sweeps:operate', 'ADMIN', 'OPS'),
  [`POST ${API}/notifications/resend`]: people('notifications:resend', 'ADMIN', 'AGENT', 'OPS'),
  [`POST ${API}/notifications/:id/resend`]: people('notifications:resend', 'ADMIN', 'AGENT', 'OPS'),
  [`GET ${API}/notifications/:id/content`]: people('notifications:content', 'ADMIN', 'AGENT'),
  [`GET ${API}/templates`]: people('templates:read', 'ADMIN', 'OPS'),
  [`GET ${API}/templates/:key`]: people('templates:read', 'ADMIN', 'OPS'),
  [`POST ${API}/templates/:key/versions`]: people('templates:write', 'ADMIN'),
  [`POST ${API}/templates/:key/preview`]: people('templates:preview', 'ADMIN'),
  [`GET ${API}/notification-rules`]: people('notifications:read', 'ADMIN', 'AGENT', 'OPS'),
  [`PATCH ${API}/notification-rules`]: people('notifications:configure', 'ADMIN'),
  [`GET ${API}/notification-settings`]: people('notifications:read', 'ADMIN', 'AGENT', 'OPS'),
  [`PUT ${API}/notification-settings`]: people('notifications:configure', 'ADMIN'),
  [`GET ${API}/:party/:id/notification-preferences`]: people('notifications:read', 'ADMIN', 'AGENT', 'OPS'),
  [`PUT ${API}/:party/:id/notification-preferences`]: people('notifications:configure', 'ADMIN'),
  [`GET ${API}/reservations/:id/forecast`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE'),

  [`GET ${API}/audit`]: people('audit:read', 'ADMIN', 'OPS'),
  [`GET ${API}/audit/verify`]: people('audit:read', 'ADMIN', 'OPS'),

  // What is stuck with money is FINANCE's to see in full and to let go on; OPS sees that it is stuck.
  [`GET ${API}/sagas`]: open('sagas:read', 'ADMIN', 'OPS', 'AGENT', 'FINANCE'),
  [`GET ${API}/sagas/:name/status`]: open('sagas:read', 'ADMIN', 'OPS', 'AGENT', 'FINANCE'),
  [`GET ${API}/sagas/executions/:id`]: open('sagas:read', 'ADMIN', 'OPS', 'AGENT', 'FINANCE'),
  [`POST ${API}/sagas/executions/:id/retry`]: people('sagas:operate', 'ADMIN', 'OPS', 'FINANCE'),
  [`POST ${API}/sagas/executions/:id/resolve`]: people('sagas:operate', 'ADMIN', 'OPS'),
};

/** Every scope that a service client can have. */
export const SCOPES: readonly string[] = [
  ...new Set(
    Object.values(POLICIES).flatMap((entry) => (entry !== 'anonymous' && entry.service ? [entry.permission] : [])),
  ),
];

/** `GET /api/production/owners/:id`. */
export const endpointName = (method: string, pattern: string): string => `${method.toUpperCase()} ${pattern}`;

/** Throws for an endpoint that nobody has decided about: it must not exist. */
export function policyOf(method: string, pattern: string): PolicyEntry {
  const name = endpointName(method, pattern);
  const policy = Object.hasOwn(POLICIES, name) ? POLICIES[name] : undefined;
  if (policy === undefined) throw new Error(`endpoint without a policy: ${name}`);
  return policy;
}

/** Acts on money, and on who may sign in: where the token was got for a session they need a second factor of the last minutes. */
const STEP_UP: ReadonlySet<string> = new Set([
  'payouts:write',
  'refunds:override',
  'refunds:settle',
  'differences:book',
  'finance:configure',
  'accounts:write',
]);
const STEP_UP_WITHIN_MS = 15 * 60_000;

export const needsStepUp = ({ permission }: Policy): boolean => STEP_UP.has(permission);

/** Tokens of development and of machines have no session: they are not asked. */
export function isSteppedUp(policy: Policy, caller: Caller, now: Date): boolean {
  if (!needsStepUp(policy) || caller.kind === 'service' || !caller.session) return true;
  const { mfaAt } = caller.session;
  return mfaAt !== null && now.getTime() - mfaAt.getTime() <= STEP_UP_WITHIN_MS;
}

export function permits(policy: Policy, caller: Caller): boolean {
  if (caller.kind === 'service') return policy.service && caller.scopes.has(policy.permission);
  return caller.role !== null && policy.roles.includes(caller.role);
}

interface Registered {
  readonly method: string;
  readonly path: string;
}

/** Both ways: every endpoint has a policy, every policy an endpoint. `ALL` marks middleware. */
export function assertPoliciesMatch(routes: readonly Registered[]): void {
  const endpoints = new Set(
    routes.filter((route) => route.method !== 'ALL').map((route) => endpointName(route.method, route.path)),
  );
  const missing = [...endpoints].filter((name) => !Object.hasOwn(POLICIES, name));
  const unused = Object.keys(POLICIES).filter((name) => !endpoints.has(name));
  if (missing.length > 0) throw new Error(`endpoints without a policy: ${missing.join(', ')}`);
  if (unused.length > 0) throw new Error(`policies without an endpoint: ${unused.join(', ')}`);
}

const PATTERNS = Object.keys(POLICIES).map((name) => {
  const [method = '', pattern = ''] = name.split(' ');
  return { method, matches: new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`) };
});

/** The methods that an address supports; none when there is nothing at it. */
export function methodsAt(path: string): string[] {
  const methods = PATTERNS.filter((entry) => entry.matches.test(path)).map((entry) => entry.method);
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))];
}
