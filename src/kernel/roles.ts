/** What a person may be; each has one. `http/policy.ts` says what each may do. */
export const ROLES = ['ADMIN', 'AGENT', 'FINANCE', 'OPS', 'OWNER', 'CLEANER', 'MAINTENANCE_STAFF', 'GUEST'] as const;
export type Role = (typeof ROLES)[number];
