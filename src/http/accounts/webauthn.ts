import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import { z } from 'zod';
import type { AccountRow } from '../../domain/people/accounts.ts';
import type { PasskeyRow } from '../../domain/people/passkeys.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { noReference } from '../references.ts';

/**
 * WebAuthn: what a browser is asked for, and whether what it answers is right. The library is loaded when somebody first uses
 * a passkey.
 */

/** Who passkeys are for, as browsers bind them: the host of `PUBLIC_URL`, and the origin on which alone they are used. */
export interface RelyingParty {
  readonly id: string;
  readonly origin: string;
}
export function relyingPartyOf(publicUrl: string): RelyingParty {
  const { hostname, origin } = new URL(publicUrl);
  return { id: hostname, origin };
}

/** How long a challenge may be answered; people look for their key. */
export const CHALLENGE_SECONDS = 300;

const NAME = 'Roomy';
/** ES256, EdDSA and RS256: what authenticators have. */
const ALGORITHMS = [-7, -8, -257];
const load = () => import('@simplewebauthn/server');
const bytesOf = (base64Url: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(base64Url, 'base64url'));

const TRANSPORTS: readonly string[] = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'];
const transportsOf = (names: readonly string[]): string[] => TRANSPORTS.filter((known) => names.includes(known));

/** For a new passkey, which the authenticator must be able to find by itself, and which asks for its holder each time. */
export async function creationOptions(
  party: RelyingParty,
  challenge: string,
  account: Pick<AccountRow, 'id' | 'email' | 'name'>,
  known: readonly PasskeyRow[],
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { generateRegistrationOptions } = await load();
  return generateRegistrationOptions({
    rpName: NAME,
    rpID: party.id,
    userID: new Uint8Array(Buffer.from(account.id)),
    userName: account.email,
    userDisplayName: account.name,
    challenge: bytesOf(challenge),
    timeout: CHALLENGE_SECONDS * 1_000,
    attestationType: 'none',
    supportedAlgorithmIDs: ALGORITHMS,
    excludeCredentials: known.map(({ id, transports }) => ({ id, transports: transportsOf(transports) })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  });
}

/** For a sign-in: no address is typed, and no account is named. */
export async function requestOptions(
  party: RelyingParty,
  challenge: string,
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { generateAuthenticationOptions } = await load();
  return generateAuthenticationOptions({
    rpID: party.id,
    challenge: bytesOf(challenge),
    timeout: CHALLENGE_SECONDS * 1_000,
    userVerification: 'required',
  });
}

const base64Url = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[A-Za-z0-9_-]+$/);
/** What a browser's authenticator calls the credential; whose it is shows when its signature is verified. */
const CredentialId = noReference(base64Url(1_400), 'the id of a credential, which its signature proves');
export const PasskeyName = z.string().trim().min(1).max(60);
export const NewCredential = z.strictObject({
  name: PasskeyName,
  id: CredentialId,
  clientDataJSON: base64Url(4_000),
  attestationObject: base64Url(16_000),
  transports: z.array(z.string().max(30)).max(10),
});
export const UsedCredential = z.strictObject({
  id: CredentialId,
  clientDataJSON: base64Url(4_000),
  authenticatorData: base64Url(4_000),
  signature: base64Url(4_000),
  userHandle: base64Url(200).nullish(),
});
export const CredentialParam = z.strictObject({ id: CredentialId });

/** The challenge that an answer is for; null for what no browser sends. Nothing else of the answer counts before it is verified. */
export function challengeOf(clientDataJSON: string): string | null {
  const ClientData = z.object({ challenge: base64Url(200) });
  try {
    return (
      ClientData.safeParse(JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString('utf8'))).data?.challenge ??
      null
    );
  } catch {
    return null;
  }
}

export interface VerifiedCredential {
  readonly id: string;
  readonly publicKey: Uint8Array;
  readonly counter: number;
  readonly transports: readonly string[];
}

/** Throws `VALIDATION_FAILED` for an answer that is not right, or whose authenticator has not seen its holder. */
export async function verifyNew(
  party: RelyingParty,
  challenge: string,
  { id, clientDataJSON, attestationObject, transports }: z.infer<typeof NewCredential>,
): Promise<VerifiedCredential> {
  const { verifyRegistrationResponse } = await load();
  const { verified, registrationInfo } = await verifyRegistrationResponse({
    response: {
      id,
      rawId: id,
      type: 'public-key',
      clientExtensionResults: {},
      response: { clientDataJSON, attestationObject },
    },
    expectedChallenge: challenge,
    expectedOrigin: party.origin,
    expectedRPID: party.id,
    requireUserVerification: true,
    supportedAlgorithmIDs: ALGORITHMS,
  }).catch((error: unknown) => {
    throw notAccepted(error);
  });
  if (!verified) throw notAccepted('not_verified');
  const { credential } = registrationInfo;
  return {
    id: credential.id,
    publicKey: credential.publicKey,
    counter: credential.counter,
    transports: transportsOf(transports),
  };
}
const notAccepted = (cause: unknown): RoomyError =>
  new RoomyError('VALIDATION_FAILED', { text: 'This passkey was not accepted', cause });

/**
 * The counter that the authenticator sent with a right answer; whether it has gone up is for the table to say, where two uses
 * at once meet. Throws `UNAUTHENTICATED` for any other answer.
 */
export async function verifyUse(
  party: RelyingParty,
  challenge: string,
  passkey: PasskeyRow,
  { id, clientDataJSON, authenticatorData, signature, userHandle }: z.infer<typeof UsedCredential>,
): Promise<number> {
  const { verifyAuthenticationResponse } = await load();
  // Whose passkey it is says the table; an authenticator that says somebody else is not to be believed.
  const isTheirs =
    userHandle === null ||
    userHandle === undefined ||
    Buffer.from(userHandle, 'base64url').toString() === passkey.account_id;
  if (!isTheirs) throw notTheirs('user_handle');
  const { verified, authenticationInfo } = await verifyAuthenticationResponse({
    response: {
      id,
      rawId: id,
      type: 'public-key',
      clientExtensionResults: {},
      response: { clientDataJSON, authenticatorData, signature },
    },
    expectedChallenge: challenge,
    expectedOrigin: party.origin,
    expectedRPID: party.id,
    requireUserVerification: true,
    credential: { id: passkey.id, publicKey: new Uint8Array(passkey.public_key), counter: 0 },
  }).catch((error: unknown) => {
    throw notTheirs(error);
  });
  if (!verified) throw notTheirs('not_verified');
  return authenticationInfo.newCounter;
}
/** One answer, whatever was wrong. */
export const notTheirs = (cause: unknown): RoomyError =>
  new RoomyError('UNAUTHENTICATED', { text: 'This passkey was not accepted', cause });
