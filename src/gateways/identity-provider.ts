import type { Configuration, IDToken, UserInfoResponse } from 'openid-client';
import type { IdentityProvider, IdentityRequest, VerifiedIdentity } from '../domain/ports-sign-in.ts';
import type { Clock } from '../kernel/clock.ts';
import { RoomyError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import { withTimeout } from '../kernel/time-limit.ts';

/**
 * OpenID Connect: the code flow with PKCE, `state` and `nonce`. The provider is asked for its settings when somebody first
 * signs in by it, so that a start needs neither the provider nor the library.
 */

export interface IdentityProviderSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** On the button. */
  readonly name: string;
  /** Values of `amr` and `acr` that stand for two factors; none: what the provider says of factors counts for nothing. */
  readonly secondFactors: readonly string[];
}

/** Of one request, in seconds as the library has it. */
const REQUEST_SECONDS = 5;
/** Of all that one page waits for: settings, token, keys and the user's own record. */
const TOTAL_MS = 10_000;
/** A provider changes its addresses rarely, and a process may run for months. */
const SETTINGS_MS = 3_600_000;
const SCOPE = 'openid email';

/** As identities are kept: to the library, which compares the token's with the settings, a slash at its end is the same. */
const withoutSlash = (issuer: string): string => issuer.replace(/\/+$/, '');
const load = () => import('openid-client');

export function createIdentityProvider(
  settings: IdentityProviderSettings,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): IdentityProvider {
  let found: { readonly configuration: Configuration; readonly untilMs: number } | undefined;
  const discovered = async (): Promise<Configuration> => {
    const nowMs = clock.now().getTime();
    if (found && found.untilMs > nowMs) return found.configuration;
    const { discovery, allowInsecureRequests, enableNonRepudiationChecks } = await load();
    const issuer = new URL(settings.issuer);
    const configuration = await discovery(issuer, settings.clientId, settings.clientSecret, undefined, {
      timeout: REQUEST_SECONDS,
      // The signature of an ID token is checked too, although it comes from the provider itself.
      execute: [enableNonRepudiationChecks, ...(issuer.protocol === 'http:' ? [allowInsecureRequests] : [])],
    });
    found = { configuration, untilMs: nowMs + SETTINGS_MS };
    return configuration;
  };
  const within = <T>(work: () => Promise<T>): Promise<T> =>
    withTimeout({ timeoutMs: TOTAL_MS, error: unavailable }, work);

  return {
    name: settings.name,
    issuer: withoutSlash(settings.issuer),
    addressFor: (request) =>
      within(async () => {
        const configuration = await discovered().catch((error: unknown) => {
          log.warn({ reason: reasonOf(error) }, 'the identity provider does not answer');
          throw unavailable(error);
        });
        return (await addressOf(configuration, request)).href;
      }),
    identify: (request, parameters) =>
      within(async () => {
        try {
          return await identityOf(await discovered(), settings, clock, { request, parameters });
        } catch (error) {
          log.warn({ reason: reasonOf(error) }, 'a sign-in by the identity provider failed');
          if (isAway(error)) throw unavailable(error);
          return null;
        }
      }),
  };
}

async function addressOf(configuration: Configuration, request: IdentityRequest): Promise<URL> {
  const { buildAuthorizationUrl, calculatePKCECodeChallenge } = await load();
  return buildAuthorizationUrl(configuration, {
    redirect_uri: request.redirectUri,
    scope: SCOPE,
    state: request.state,
    nonce: request.nonce,
    code_challenge: await calculatePKCECodeChallenge(request.codeVerifier),
    code_challenge_method: 'S256',
  });
}

interface Return {
  readonly request: IdentityRequest;
  readonly parameters: URLSearchParams;
}

async function identityOf(
  configuration: Configuration,
  settings: IdentityProviderSettings,
  clock: Clock,
  { request, parameters }: Return,
): Promise<VerifiedIdentity | null> {
  const { authorizationCodeGrant, fetchUserInfo } = await load();
  const address = new URL(request.redirectUri);
  address.search = parameters.toString();
  const tokens = await authorizationCodeGrant(configuration, address, {
    expectedState: request.state,
    expectedNonce: request.nonce,
    pkceCodeVerifier: request.codeVerifier,
    idTokenExpected: true,
  });
  const claims = tokens.claims();
  if (claims === undefined) return null;
  if (!isKept(claims.sub)) return null;
  // Many providers keep the address out of the token, and tell it when they are asked.
  const isTold = typeof claims['email'] === 'string';
  const told = isTold ? claims : await fetchUserInfo(configuration, tokens.access_token, claims.sub);
  return {
    issuer: withoutSlash(claims.iss),
    subject: claims.sub,
    ...emailOf(told),
    secondFactorAt: secondFactorAt(claims, settings.secondFactors, clock.now()),
  };
}

/** As long as OpenID Connect allows a subject; room for every address, too. */
const MAX_CLAIM_CHARS = 255;
/** No row can hold a text with a zero, and no name or address has any other control character. */
const isKept = (claim: string): boolean => claim.length <= MAX_CLAIM_CHARS && !/\p{Cc}/u.test(claim);

/** Only the word `true` itself is one: some providers send texts. */
const emailOf = (told: IDToken | UserInfoResponse): Pick<VerifiedIdentity, 'email' | 'emailVerified'> => ({
  email: typeof told['email'] === 'string' && isKept(told['email']) ? told['email'] : null,
  emailVerified: told['email_verified'] === true,
});

/** When they signed in there, which may have been hours ago, where the provider says it. */
function secondFactorAt(claims: IDToken, secondFactors: readonly string[], now: Date): Date | null {
  const { acr, amr, auth_time: authTime, iat } = claims;
  const said: readonly unknown[] = [acr, ...(Array.isArray(amr) ? amr : [])];
  if (!said.some((one) => typeof one === 'string' && secondFactors.includes(one))) return null;
  const seconds = typeof authTime === 'number' ? authTime : iat;
  return new Date(Math.min(seconds * 1_000, now.getTime()));
}

const unavailable = (cause: unknown): RoomyError =>
  new RoomyError('SERVICE_UNAVAILABLE', { text: 'The identity provider does not answer', cause });

/** What says nothing about the person: no connection, no answer in time, or an answer that is none of OpenID Connect. */
const AWAY = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_PARSE_ERROR',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
]);
const isAway = (error: unknown): boolean =>
  error instanceof TypeError || (error instanceof Error && 'code' in error && AWAY.has(String(error.code)));

/** A code, and nothing that the provider or the person wrote. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code, error: refusal } = error as { code?: unknown; error?: unknown };
  return [error.name, code, refusal]
    .filter((part) => typeof part === 'string')
    .join(' ')
    .slice(0, 120);
}
