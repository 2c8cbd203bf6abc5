import type { PhotoType } from '../../../db/schema.ts';
import { bareJpeg } from './jpeg.ts';
import { barePng } from './png.ts';
import { bareWebp } from './webp.ts';

/**
 * Photos are kept without what a camera and its owner write into them: the place, the time, the device, names, previews of what was cut
 * away. No pixel changes, and a picture is turned as before. What is not known to belong to the pixels goes.
 */
const BARE: Readonly<Record<PhotoType, (bytes: Buffer) => Buffer | null>> = {
  'image/jpeg': bareJpeg,
  'image/png': barePng,
  'image/webp': bareWebp,
};

/** By its first bytes, whatever the sender calls it; null: no picture that a browser surely shows. */
export function photoTypeOf(bytes: Buffer): PhotoType | null {
  const starts = (...magic: readonly number[]): boolean => magic.every((byte, at) => bytes[at] === byte);
  if (starts(0xff, 0xd8, 0xff)) return 'image/jpeg';
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return 'image/png';
  if (bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP') return 'image/webp';
  return null;
}

/** Null: it is no whole JPEG, PNG or WebP. */
export function barePicture(bytes: Buffer): { readonly contentType: PhotoType; readonly bytes: Buffer } | null {
  const contentType = photoTypeOf(bytes);
  const bare = contentType === null ? null : BARE[contentType](bytes);
  return contentType === null || bare === null ? null : { contentType, bytes: bare };
}
