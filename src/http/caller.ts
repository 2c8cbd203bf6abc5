import type { Role } from '../kernel/roles.ts';

/** Until when, and by which key, somebody counts: asked again by whatever outlives the request (`standing.ts`). */
interface Proof {
  /** When the token ends, with the leeway of clocks. Absent: what came instead has no end of its own, or has one in the books. */
  readonly validUntil?: Date;
}

/** Who calls. A service client has scopes and no role, and a name space of its own. */
export type Caller = Proof &
  (
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
    | {
        readonly kind: 'service';
        readonly principal: string;
        readonly scopes: ReadonlySet<string>;
        /** Digest of the API key by which it came: another key under the same id is not this caller's. */
        readonly keyDigest?: string;
      }
  );
