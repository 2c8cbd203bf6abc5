import type { Role } from '../kernel/roles.ts';

/** Until when, and by which key, somebody counts: asked again by whatever outlives the request (`standing.ts`). */
interface Proof {
  /** When the token ends, with the leeway of clocks. Absent: what came instead has no end of its own, or has one in the books. */
  readonly validUntil?: Date;
  /** The token's `jti`; absent: it has none, or it was no token. */
  readonly tokenId?: string;
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

/** A key has many names over the years and one digest: so much of it tells the keys of one agency apart. */
const DIGEST_CHARS = 12;

/** By what a caller is known, as the audit trail names it (`domain/audit/record.ts`); null: by nothing that has a name. */
export function credentialOf(caller: Caller | undefined): string | null {
  if (caller === undefined) return null;
  if (caller.kind === 'person' && caller.session) return `session:${caller.session.id}`;
  if (caller.kind === 'service' && caller.keyDigest !== undefined)
    return `key:${caller.keyDigest.slice(0, DIGEST_CHARS)}`;
  return caller.tokenId === undefined ? null : `token:${caller.tokenId}`;
}
