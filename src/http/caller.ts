import type { Role } from '../kernel/roles.ts';

/** Who calls. A service client has scopes and no role, and a name space of its own. */
export type Caller =
  | {
      readonly kind: 'person';
      readonly principal: string;
      readonly role: Role | null;
      /** Of a token that was got for a session (claim `sid`). `mfaAt`: when a second factor was last given in it. */
      readonly session?: { readonly id: string; readonly mfaAt: Date | null } | null;
      /** Of a token of somebody else (`JWT_ISSUERS`). `mfaAt`: when it says that a second factor was given; null: it does not say. */
      readonly provider?: { readonly mfaAt: Date | null };
      /** Null or absent: a principal without an account. */
      readonly accountId?: string | null;
    }
  | { readonly kind: 'service'; readonly principal: string; readonly scopes: ReadonlySet<string> };
