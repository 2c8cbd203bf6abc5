/** Invisible characters that come with text copied from a page, a sheet or the contacts of a phone. */

/** Formatting that nobody sees: marks of direction, zero-width spaces, a byte order mark. */
export const UNSEEN = /\p{Cf}/u;
const UNSEEN_ENDS = /^[\p{Z}\p{Cf}]+|[\p{Z}\p{Cf}]+$/gu;

export const withoutUnseen = (text: string): string => text.replaceAll(/\p{Cf}/gu, '');
/** Without the spaces and the invisible characters at both ends; line breaks stay, for others to refuse. */
export const withoutUnseenEnds = (text: string): string => text.replaceAll(UNSEEN_ENDS, '');
