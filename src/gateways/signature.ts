const MAX_SIGNATURE_CHARS = 4_096;
/** All that a signature of a provider can be made of. Libraries compare bytes, and throw where these have another number than the characters. */
const SIGNATURE = /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/;

/** Whether a header may be a signature at all; anything else is not signed, and is shown to no library. */
export const mayBeSignature = (header: string): boolean =>
  header.length <= MAX_SIGNATURE_CHARS && SIGNATURE.test(header);
