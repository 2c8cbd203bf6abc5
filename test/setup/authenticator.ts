import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/**
 * An authenticator in software, which can also do what a real one never would: leave out the look at its holder, count
 * backwards, or answer for another site.
 */

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const CREDENTIAL_INSIDE = 0x40;

export interface Circumstances {
  /** Whether it has seen its holder (a finger, a PIN). Default: yes. */
  readonly verifiesUser?: boolean;
  /** Default: one more than before. */
  readonly counter?: number;
  readonly origin?: string;
  readonly rpId?: string;
  /** Whom it says it belongs to. Default: the account that it was made for. */
  readonly userHandle?: string;
}

const base64Url = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url');
const sha256 = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest();

export interface Authenticator {
  /** The credential's id, base64url. */
  readonly id: string;
  /** What the page sends after `navigator.credentials.create()`. */
  create(options: unknown, how?: Circumstances): Readonly<Record<string, unknown>>;
  /** What the page sends after `navigator.credentials.get()`. */
  get(options: unknown, how?: Circumstances): Readonly<Record<string, unknown>>;
}

export function createAuthenticator(publicUrl: string): Authenticator {
  const { origin, hostname } = new URL(publicUrl);
  const id = randomBytes(16);
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  let counter = 0;
  let holder = '';

  const head = (how: Circumstances, more: number): Buffer => {
    counter = how.counter ?? counter + 1;
    const counted = Buffer.alloc(4);
    counted.writeUInt32BE(counter);
    const flags = USER_PRESENT | (how.verifiesUser === false ? 0 : USER_VERIFIED) | more;
    return Buffer.concat([sha256(how.rpId ?? hostname), Buffer.from([flags]), counted]);
  };
  const clientData = (type: string, challenge: string, how: Circumstances): string =>
    base64Url(JSON.stringify({ type, challenge, origin: how.origin ?? origin, crossOrigin: false }));

  return {
    id: base64Url(id),
    create(options, how = {}) {
      const { challenge, user } = options as { challenge: string; user: { id: string } };
      holder = user.id;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(id.length);
      const inside = Buffer.concat([Buffer.alloc(16), length, id, coseOf(publicKey)]);
      return {
        id: base64Url(id),
        clientDataJSON: clientData('webauthn.create', challenge, how),
        attestationObject: base64Url(attestationOf(Buffer.concat([head(how, CREDENTIAL_INSIDE), inside]))),
        transports: ['internal'],
      };
    },
    get(options, how = {}) {
      const { challenge } = options as { challenge: string };
      const authenticatorData = head(how, 0);
      const clientDataJSON = clientData('webauthn.get', challenge, how);
      const signed = Buffer.concat([authenticatorData, sha256(Buffer.from(clientDataJSON, 'base64url'))]);
      return {
        id: base64Url(id),
        clientDataJSON,
        authenticatorData: base64Url(authenticatorData),
        signature: base64Url(sign('sha256', signed, privateKey)),
        userHandle: how.userHandle ?? holder,
      };
    },
  };
}

/** A key of ES256 as COSE (RFC 9053): the CBOR of {1: 2, 3: -7, -1: 1, -2: x, -3: y}. */
function coseOf(publicKey: KeyObject): Buffer {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return Buffer.concat([
    Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]),
    Buffer.from(x, 'base64url'),
    Buffer.from([0x22, 0x58, 0x20]),
    Buffer.from(y, 'base64url'),
  ]);
}

/** The CBOR of { fmt: 'none', attStmt: {}, authData }. */
function attestationOf(authData: Buffer): Buffer {
  const text = (word: string): Buffer => Buffer.concat([Buffer.from([0x60 + word.length]), Buffer.from(word)]);
  const length = Buffer.from([0x59, authData.length >> 8, authData.length & 0xff]);
  return Buffer.concat([
    Buffer.from([0xa3]),
    text('fmt'),
    text('none'),
    text('attStmt'),
    Buffer.from([0xa0]),
    text('authData'),
    length,
    authData,
  ]);
}
