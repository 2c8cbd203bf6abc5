/** What the sign-in needs of the outside. The adapter is in `gateways`; the program of the API wires it. */

/** Somebody as another identity provider has identified them, its signature checked. */
export interface VerifiedIdentity {
  readonly issuer: string;
  /** Of this issuer alone, and never given to somebody else. */
  readonly subject: string;
  readonly email: string | null;
  /** The provider says that the address is theirs; nothing else may be found by it. */
  readonly emailVerified: boolean;
  /** When they gave two factors there, as far as the settings trust what it says of that; null: they did not. */
  readonly secondFactorAt: Date | null;
}
/** What one sign-in elsewhere was begun with, and has to end with. */
export interface IdentityRequest {
  /** Where the browser comes back to. */
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE (RFC 7636). */
  readonly codeVerifier: string;
}
/** An identity provider that people of the agency have already (OpenID Connect). */
export interface IdentityProvider {
  /** What people call it. */
  readonly name: string;
  readonly issuer: string;
  /** Where the browser is sent to. Throws `SERVICE_UNAVAILABLE`. */
  addressFor(request: IdentityRequest): Promise<string>;
  /**
   * Who has come back with these parameters. Null: nobody, as the provider refused, or as what came is not what the request
   * was begun with. Throws `SERVICE_UNAVAILABLE`.
   */
  identify(request: IdentityRequest, parameters: URLSearchParams): Promise<VerifiedIdentity | null>;
}
