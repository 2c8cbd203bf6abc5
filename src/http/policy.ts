import { ROLES, type Role } from '../kernel/roles.ts';
import type { Caller } from './caller.ts';
import { PAGE_POLICIES } from './page-policies.ts';
import { type IsGrave, isOverride, namesAny, type StepUp } from './step-up.ts';

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
  /** What asks for a second factor of the last minutes. Null: it only reads; an entry that changes something has to say. */
  readonly stepUp: StepUp | null;
}
export type PolicyEntry = Policy | 'anonymous';

const people = (permission: string, ...roles: readonly Role[]): Policy => ({
  permission,
  roles,
  service: false,
  stepUp: null,
});
const open = (permission: string, ...roles: readonly Role[]): Policy => ({
  ...people(permission, ...roles),
  service: true,
});
/** An act on money, on who may do what, or on what programs are told: with a fresh second factor only (security.md S3). */
const steppedUp = (policy: Policy): Policy => ({ ...policy, stepUp: 'ALWAYS' });
/** The same when the request has one of these fields. */
const steppedUpWith = (fields: readonly string[], policy: Policy): Policy => steppedUpWhen(namesAny(fields), policy);
const steppedUpWhen = (isGrave: IsGrave, policy: Policy): Policy => ({ ...policy, stepUp: isGrave });
/** Everyday work. */
const everyday = (policy: Policy): Policy => ({ ...policy, stepUp: 'NEVER' });

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

  ...PAGE_POLICIES,

  [`GET ${API}/accounts`]: people('accounts:read', 'ADMIN'),
  [`POST ${API}/accounts`]: steppedUp(people('accounts:write', 'ADMIN')),
  [`GET ${API}/accounts/:id`]: people('accounts:read', 'ADMIN'),
  [`PATCH ${API}/accounts/:id`]: steppedUp(people('accounts:write', 'ADMIN')),
  [`POST ${API}/accounts/:id/deactivate`]: steppedUp(people('accounts:write', 'ADMIN')),
  [`POST ${API}/accounts/:id/reactivate`]: steppedUp(people('accounts:write', 'ADMIN')),
  [`POST ${API}/accounts/:id/invitation`]: steppedUp(people('accounts:write', 'ADMIN')),
  [`DELETE ${API}/accounts/:id/sessions`]: steppedUp(people('accounts:write', 'ADMIN')),
  [`DELETE ${API}/accounts/:id/authenticator`]: steppedUp(people('accounts:write', 'ADMIN')),
  [`GET ${API}/me/sessions`]: people('sessions:own', ...ROLES),
  [`DELETE ${API}/me/sessions`]: everyday(people('sessions:own', ...ROLES)),
  [`DELETE ${API}/me/sessions/:id`]: everyday(people('sessions:own', ...ROLES)),

  [`GET ${API}/owners`]: people('owners:read', 'ADMIN', 'AGENT', 'FINANCE'),
  [`POST ${API}/owners`]: steppedUpWith(['payoutAccount', 'payoutTerms'], people('owners:write', 'ADMIN')),
  [`GET ${API}/owners/:id`]: people('owners:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`PATCH ${API}/owners/:id`]: steppedUpWith(
    ['payoutAccount', 'payoutTerms', 'email'],
    people('owners:write', 'ADMIN'),
  ),

  [`GET ${API}/guests`]: open('guests:read', 'ADMIN', 'AGENT'),
  [`POST ${API}/guests`]: everyday(open('guests:write', 'ADMIN', 'AGENT')),
  [`GET ${API}/guests/:id`]: open('guests:read', 'ADMIN', 'AGENT'),
  [`PATCH ${API}/guests/:id`]: everyday(open('guests:write', 'ADMIN', 'AGENT')),

  [`GET ${API}/staff`]: people('staff:read', 'ADMIN', 'AGENT'),
  [`POST ${API}/staff`]: everyday(people('staff:write', 'ADMIN')),
  [`GET ${API}/staff/:id`]: people('staff:read', 'ADMIN', 'AGENT'),
  [`PATCH ${API}/staff/:id`]: steppedUpWith(['active', 'role'], people('staff:write', 'ADMIN')),
  [`GET ${API}/staff/:id/leave`]: people('staff:leave', 'ADMIN', 'AGENT'),
  [`POST ${API}/staff/:id/leave`]: everyday(people('staff:leave', 'ADMIN', 'AGENT')),
  [`DELETE ${API}/staff/:id/leave/:leaveId`]: everyday(people('staff:leave', 'ADMIN', 'AGENT')),

  // Owners see what is theirs: their properties, the stays there without the guest, and the work that is done there.
  [`GET ${API}/properties`]: open('properties:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`POST ${API}/properties`]: steppedUpWith(
    ['agentIds', 'amenityDevice', 'repairApprovalLimit'],
    open('properties:write', 'ADMIN', 'AGENT'),
  ),
  [`GET ${API}/properties/:id`]: open('properties:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`PATCH ${API}/properties/:id`]: steppedUpWith(
    ['ownerId', 'agentIds', 'amenityDevice', 'repairApprovalLimit'],
    open('properties:write', 'ADMIN', 'AGENT'),
  ),

  [`GET ${API}/reservations`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`POST ${API}/reservations`]: everyday(open('reservations:write', 'ADMIN', 'AGENT')),
  [`GET ${API}/reservations/:id`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`PATCH ${API}/reservations/:id`]: everyday(open('reservations:write', 'ADMIN', 'AGENT')),
  [`POST ${API}/reservations/:id/confirm`]: everyday(open('reservations:confirm', 'ADMIN', 'AGENT')),
  [`POST ${API}/reservations/:id/check-in`]: everyday(open('reservations:check-in', 'ADMIN', 'AGENT')),
  [`POST ${API}/reservations/:id/check-out`]: everyday(open('reservations:check-out', 'ADMIN', 'AGENT')),
  [`GET ${API}/reservations/:id/check-out-report`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE'),
  [`GET ${API}/reservations/:id/check-out-report/link`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE'),
  // The address itself is the permission, for ten minutes.
  'GET /reports/:token': 'anonymous',
  // The address of the mail is the permission, as long as the stay is that guest's.
  [`POST ${API}/reservations/:id/guest-link`]: everyday(people('reservations:guest-link', 'ADMIN', 'AGENT')),
  'GET /stay/:token': 'anonymous',
  [`POST ${API}/reservations/:id/rating`]: everyday(open('reservations:rate', 'ADMIN', 'AGENT', 'GUEST')),
  [`GET ${API}/reservations/:id/rating`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE', 'GUEST'),
  [`POST ${API}/reservations/:id/payment`]: steppedUp(open('payments:write', 'ADMIN', 'AGENT', 'FINANCE', 'GUEST')),
  [`POST ${API}/reservations/:id/cancel`]: steppedUpWhen(
    isOverride,
    open('reservations:cancel', 'ADMIN', 'AGENT', 'FINANCE', 'GUEST'),
  ),
  // Only the roles that answer for money may set the policy of a cancellation aside.
  [`POST ${API}/reservations/:id/refunds`]: steppedUp(people('refunds:override', 'ADMIN', 'FINANCE')),
  [`GET ${API}/reservations/:id/cancellation-quote`]: open('reservations:cancel', 'ADMIN', 'AGENT', 'FINANCE', 'GUEST'),

  // FINANCE sees the tasks that are its own to do, and no others.
  [`GET ${API}/tasks`]: open('tasks:read', 'ADMIN', 'AGENT', 'OWNER', 'FINANCE'),
  [`POST ${API}/tasks`]: everyday(open('tasks:write', 'ADMIN', 'AGENT')),
  // A guest's own stays: what is paid and due, the address, and the code of the door while it opens.
  [`GET ${API}/me/stays`]: people('stays:own', 'GUEST'),
  [`GET ${API}/me/stays/:id`]: people('stays:own', 'GUEST'),
  [`GET ${API}/me/tasks`]: people('tasks:work', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`POST ${API}/me/calendar`]: everyday(people('tasks:work', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF')),
  [`DELETE ${API}/me/calendar`]: everyday(people('tasks:work', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF')),
  // The address itself is the permission: it cannot be guessed, and can be revoked.
  'GET /calendar/:file': 'anonymous',

  // Counts, rates and times, without a name or an amount.
  [`GET ${API}/analytics/conversion`]: open('analytics:read', 'ADMIN', 'AGENT', 'FINANCE'),
  [`GET ${API}/analytics/payments`]: open('analytics:read', 'ADMIN', 'AGENT', 'FINANCE', 'OPS'),
  [`GET ${API}/analytics/tasks`]: open('analytics:read', 'ADMIN', 'AGENT', 'OPS'),
  [`GET ${API}/analytics/satisfaction`]: open('analytics:read', 'ADMIN', 'AGENT'),
  [`GET ${API}/analytics/payouts`]: open('analytics:read', 'ADMIN', 'FINANCE'),
  [`GET ${API}/tasks/statistics`]: open('tasks:read', 'ADMIN', 'AGENT', 'OPS', 'OWNER', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`GET ${API}/tasks/:id`]: open('tasks:read', 'ADMIN', 'AGENT', 'OWNER', 'FINANCE', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`POST ${API}/tasks/:id/start`]: everyday(people('tasks:work', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF')),
  [`POST ${API}/tasks/:id/complete`]: everyday(people('tasks:work', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF')),
  // An owner's debt: for the roles that answer for money, and by two people where the owner has not said yes.
  [`POST ${API}/tasks/:id/charge`]: steppedUp(people('charges:write', 'ADMIN', 'FINANCE')),
  [`PUT ${API}/tasks/:id/photos/:photoId`]: everyday(
    people('tasks:work', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  ),
  [`GET ${API}/tasks/:id/photos/:photoId`]: people('tasks:work', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF'),
  [`PATCH ${API}/tasks/:id`]: everyday(open('tasks:write', 'ADMIN', 'AGENT')),
  [`GET ${API}/tasks/:id/assignment`]: open('tasks:read', 'ADMIN', 'AGENT'),
  [`GET ${API}/assignment-rules`]: open('tasks:read', 'ADMIN', 'AGENT'),
  [`PATCH ${API}/assignment-rules`]: everyday(people('tasks:configure', 'ADMIN')),
  // An answer to an offer is the assignee's own; an administrator may give it for them.
  [`POST ${API}/tasks/:id/accept`]: everyday(people('tasks:answer', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF')),
  [`POST ${API}/tasks/:id/decline`]: everyday(people('tasks:answer', 'ADMIN', 'AGENT', 'CLEANER', 'MAINTENANCE_STAFF')),

  // The owner's own answer, or an agent's in the owner's name; on the page, the address of the mail is the permission.
  [`POST ${API}/tasks/:id/approval`]: steppedUp(people('repairs:approve', 'ADMIN', 'AGENT', 'OWNER')),
  'GET /approvals/:token': 'anonymous',
  'POST /approvals/:token/approve': 'anonymous',
  'POST /approvals/:token/decline': 'anonymous',
  // The link of the mail is the proof: the person who has it is the one who was asked.
  'GET /offers/:token': 'anonymous',
  'POST /offers/:token/accept': 'anonymous',
  'POST /offers/:token/decline': 'anonymous',

  [`GET ${API}/recurrences`]: open('recurrences:read', 'ADMIN', 'AGENT'),
  [`POST ${API}/recurrences`]: everyday(open('recurrences:write', 'ADMIN', 'AGENT')),
  [`GET ${API}/recurrences/:id`]: open('recurrences:read', 'ADMIN', 'AGENT'),
  [`PATCH ${API}/recurrences/:id`]: everyday(open('recurrences:write', 'ADMIN', 'AGENT')),
  [`DELETE ${API}/recurrences/:id`]: everyday(open('recurrences:write', 'ADMIN', 'AGENT')),

  [`GET ${API}/financial/summary`]: open('finance:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`GET ${API}/financial/income-distribution`]: open('finance:read', 'ADMIN', 'FINANCE', 'AGENT', 'OWNER'),
  [`GET ${API}/financial/income-distribution/versions`]: open('finance:read', 'ADMIN', 'FINANCE', 'AGENT', 'OWNER'),
  [`PUT ${API}/financial/income-distribution`]: steppedUp(people('finance:configure', 'ADMIN', 'FINANCE')),
  [`GET ${API}/financial/integrity`]: people('finance:integrity', 'ADMIN', 'FINANCE'),
  [`POST ${API}/financial/reconciliations`]: everyday(people('finance:reconcile', 'ADMIN', 'FINANCE')),
  [`GET ${API}/financial/reconciliations`]: people('finance:reconcile', 'ADMIN', 'FINANCE'),
  [`GET ${API}/financial/reconciliations/:id`]: people('finance:reconcile', 'ADMIN', 'FINANCE'),
  [`GET ${API}/financial/differences`]: people('finance:reconcile', 'ADMIN', 'FINANCE'),
  [`GET ${API}/financial/differences/:id`]: people('finance:reconcile', 'ADMIN', 'FINANCE'),
  [`POST ${API}/financial/differences/:id/explanation`]: steppedUp(people('differences:explain', 'ADMIN', 'FINANCE')),
  [`DELETE ${API}/financial/differences/:id/explanation`]: steppedUp(people('differences:explain', 'ADMIN', 'FINANCE')),
  [`POST ${API}/financial/differences/:id/correction`]: steppedUp(people('differences:book', 'ADMIN', 'FINANCE')),
  [`GET ${API}/owners/:id/balance`]: people('finance:read', 'ADMIN', 'FINANCE', 'OWNER'),
  [`GET ${API}/owners/:id/statement`]: people('finance:read', 'ADMIN', 'FINANCE', 'OWNER'),

  // What a second person decides about money; how much each may, an administrator sets.
  [`GET ${API}/approvals`]: people('approvals:read', 'ADMIN', 'FINANCE'),
  [`GET ${API}/approvals/:id`]: people('approvals:read', 'ADMIN', 'FINANCE'),
  [`POST ${API}/approvals/:id`]: steppedUp(people('approvals:decide', 'ADMIN', 'FINANCE')),
  [`GET ${API}/settings/approval-limits`]: people('approvals:read', 'ADMIN', 'FINANCE'),
  [`PUT ${API}/settings/approval-limits`]: steppedUp(people('approvals:configure', 'ADMIN')),

  [`GET ${API}/transactions`]: open('finance:read', 'ADMIN', 'AGENT', 'FINANCE'),
  [`GET ${API}/transactions/:id`]: open('finance:read', 'ADMIN', 'AGENT', 'FINANCE'),

  [`POST ${API}/transactions/:id/payout`]: steppedUp(people('payouts:write', 'ADMIN', 'FINANCE')),
  [`POST ${API}/transactions/:id/settlement`]: steppedUp(people('refunds:settle', 'ADMIN', 'FINANCE')),

  [`GET ${API}/notifications`]: people('notifications:read', 'ADMIN', 'AGENT', 'OPS'),
  [`GET ${API}/notifications/:id`]: people('notifications:read', 'ADMIN', 'AGENT', 'OPS'),

  [`GET ${API}/events`]: open('events:read', 'ADMIN', 'OPS'),
  [`GET ${API}/event-types`]: open('events:read', 'ADMIN', 'OPS'),
  [`GET ${API}/events/stream`]: open('events:read', 'ADMIN', 'OPS'),
  [`GET ${API}/api-keys`]: people('api-keys:read', 'ADMIN'),
  [`POST ${API}/api-keys`]: steppedUp(people('api-keys:write', 'ADMIN')),
  [`GET ${API}/api-keys/:id`]: people('api-keys:read', 'ADMIN'),
  [`DELETE ${API}/api-keys/:id`]: steppedUp(people('api-keys:write', 'ADMIN')),
  [`POST ${API}/api-keys/:id/rotate`]: steppedUp(people('api-keys:write', 'ADMIN')),
  [`POST ${API}/events/tickets`]: everyday(open('events:read', 'ADMIN', 'OPS')),
  [`GET ${API}/webhook-endpoints`]: people('webhooks:read', 'ADMIN', 'OPS'),
  [`POST ${API}/webhook-endpoints`]: steppedUp(people('webhooks:configure', 'ADMIN')),
  [`GET ${API}/webhook-endpoints/:id`]: people('webhooks:read', 'ADMIN', 'OPS'),
  [`PATCH ${API}/webhook-endpoints/:id`]: steppedUp(people('webhooks:configure', 'ADMIN')),
  [`DELETE ${API}/webhook-endpoints/:id`]: steppedUp(people('webhooks:configure', 'ADMIN')),
  [`POST ${API}/webhook-endpoints/:id/rotate-secret`]: steppedUp(people('webhooks:configure', 'ADMIN')),
  [`POST ${API}/webhook-endpoints/:id/enable`]: steppedUp(people('webhooks:configure', 'ADMIN', 'OPS')),
  [`POST ${API}/webhook-endpoints/:id/replay`]: steppedUp(people('webhooks:configure', 'ADMIN', 'OPS')),
  [`POST ${API}/webhook-endpoints/:id/test`]: everyday(people('webhooks:configure', 'ADMIN', 'OPS')),
  [`GET ${API}/webhook-endpoints/:id/deliveries`]: people('webhooks:read', 'ADMIN', 'OPS'),
  [`GET ${API}/incidents`]: people('incidents:read', 'ADMIN', 'OPS', 'FINANCE'),
  [`GET ${API}/incidents/:id`]: people('incidents:read', 'ADMIN', 'OPS', 'FINANCE'),
  [`POST ${API}/incidents/:id/close`]: steppedUp(people('incidents:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`POST ${API}/incidents/:id/mute`]: steppedUp(people('incidents:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`GET ${API}/incidents/:id/redrive`]: people('incidents:read', 'ADMIN', 'OPS', 'FINANCE'),
  [`POST ${API}/incidents/:id/redrive`]: steppedUp(people('sagas:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`POST ${API}/incidents/:id/redrive/stop`]: steppedUp(people('sagas:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`GET ${API}/holds`]: people('sagas:read', 'ADMIN', 'OPS', 'FINANCE'),
  [`GET ${API}/holds/:id`]: people('sagas:read', 'ADMIN', 'OPS', 'FINANCE'),
  [`POST ${API}/holds`]: steppedUp(people('sagas:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`POST ${API}/holds/:id/release`]: steppedUp(people('sagas:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`GET ${API}/schedules`]: people('sweeps:read', 'ADMIN', 'OPS'),
  [`POST ${API}/schedules/:schedule/run`]: steppedUp(people('sweeps:operate', 'ADMIN', 'OPS')),
  [`GET ${API}/queues`]: people('sweeps:read', 'ADMIN', 'OPS'),
  [`POST ${API}/queues/:queue/pause`]: steppedUp(people('sweeps:operate', 'ADMIN', 'OPS')),
  [`POST ${API}/queues/:queue/resume`]: steppedUp(people('sweeps:operate', 'ADMIN', 'OPS')),
  [`GET ${API}/sweep-failures`]: people('sweeps:read', 'ADMIN', 'OPS'),
  [`POST ${API}/sweep-failures/retry`]: steppedUp(people('sweeps:operate', 'ADMIN', 'OPS')),
  [`POST ${API}/notifications/resend`]: everyday(people('notifications:resend', 'ADMIN', 'AGENT', 'OPS')),
  [`POST ${API}/notifications/:id/resend`]: everyday(people('notifications:resend', 'ADMIN', 'AGENT', 'OPS')),
  [`GET ${API}/notifications/:id/content`]: people('notifications:content', 'ADMIN', 'AGENT'),
  [`GET ${API}/templates`]: people('templates:read', 'ADMIN', 'OPS'),
  [`GET ${API}/templates/:key`]: people('templates:read', 'ADMIN', 'OPS'),
  [`POST ${API}/templates/:key/versions`]: steppedUp(people('templates:write', 'ADMIN')),
  [`POST ${API}/templates/:key/preview`]: everyday(people('templates:preview', 'ADMIN')),
  [`GET ${API}/notification-rules`]: people('notifications:read', 'ADMIN', 'AGENT', 'OPS'),
  [`PATCH ${API}/notification-rules`]: steppedUp(people('notifications:configure', 'ADMIN')),
  [`GET ${API}/notification-settings`]: people('notifications:read', 'ADMIN', 'AGENT', 'OPS'),
  [`PUT ${API}/notification-settings`]: steppedUp(people('notifications:configure', 'ADMIN')),
  [`GET ${API}/:party/:id/notification-preferences`]: people('notifications:read', 'ADMIN', 'AGENT', 'OPS'),
  [`PUT ${API}/:party/:id/notification-preferences`]: everyday(people('notifications:configure', 'ADMIN')),
  [`GET ${API}/reservations/:id/forecast`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE'),

  // Of each kind what its list shows the caller.
  [`GET ${API}/search`]: open('search:read', 'ADMIN', 'AGENT', 'FINANCE', 'OPS', 'OWNER'),
  [`GET ${API}/day`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE', 'OPS'),
  // Each entry is for whoever may list its kind; of a stay operators see the processes, messages and events.
  [`GET ${API}/reservations/:id/timeline`]: open('reservations:read', 'ADMIN', 'AGENT', 'FINANCE', 'OPS', 'OWNER'),
  [`GET ${API}/properties/:id/timeline`]: open('properties:read', 'ADMIN', 'AGENT', 'FINANCE', 'OWNER'),
  [`GET ${API}/owners/:id/timeline`]: people('owners:read', 'ADMIN', 'AGENT', 'FINANCE'),
  [`GET ${API}/staff/:id/timeline`]: people('staff:read', 'ADMIN', 'AGENT'),

  [`GET ${API}/audit`]: people('audit:read', 'ADMIN', 'OPS'),
  [`GET ${API}/audit/verify`]: people('audit:read', 'ADMIN', 'OPS'),

  // What is stuck with money is FINANCE's to see in full and to let go on; OPS sees that it is stuck.
  [`GET ${API}/sagas`]: open('sagas:read', 'ADMIN', 'OPS', 'AGENT', 'FINANCE'),
  [`GET ${API}/sagas/failures`]: open('sagas:read', 'ADMIN', 'OPS', 'AGENT', 'FINANCE'),
  [`GET ${API}/sagas/:name/status`]: open('sagas:read', 'ADMIN', 'OPS', 'AGENT', 'FINANCE'),
  [`GET ${API}/sagas/executions/:id`]: open('sagas:read', 'ADMIN', 'OPS', 'AGENT', 'FINANCE'),
  [`GET ${API}/sagas/executions/:id/attempts`]: people('sagas:read', 'ADMIN', 'OPS', 'FINANCE'),
  [`GET ${API}/sagas/executions/:id/export`]: people('sagas:read', 'ADMIN', 'OPS', 'FINANCE'),
  [`POST ${API}/sagas/executions/:id/retry`]: steppedUp(people('sagas:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`POST ${API}/sagas/executions/:id/retry-now`]: steppedUp(people('sagas:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`POST ${API}/sagas/executions/:id/skip`]: steppedUp(people('sagas:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`POST ${API}/sagas/executions/:id/amend`]: steppedUp(people('sagas:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`POST ${API}/sagas/executions/:id/cancel`]: steppedUp(people('sagas:operate', 'ADMIN', 'OPS', 'FINANCE')),
  [`POST ${API}/sagas/executions/:id/resolve`]: steppedUp(people('sagas:operate', 'ADMIN', 'OPS')),
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
  assertDecided(name, policy);
  return policy;
}

export function permits(policy: Policy, caller: Caller): boolean {
  if (caller.kind === 'service') return policy.service && caller.scopes.has(policy.permission);
  return caller.role !== null && policy.roles.includes(caller.role);
}

/** Nobody forgets to say it: a change without a word about step-up does not start. */
function assertDecided(name: string, policy: PolicyEntry): void {
  if (policy === 'anonymous' || name.startsWith('GET ') === (policy.stepUp === null)) return;
  throw new Error(`a policy that does not say whether it needs a fresh second factor: ${name}`);
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
