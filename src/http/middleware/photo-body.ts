import { RoomyError } from '../../kernel/errors.ts';
import type { AnyContext } from '../context.ts';
import { readBody } from './body.ts';

export const MAX_PHOTO_BYTES = 2 * 1024 * 1024;

/** The bytes of a picture, counted as they arrive. Throws `PAYLOAD_TOO_LARGE` and `MALFORMED_REQUEST`. */
export async function readPhotoBody(c: AnyContext): Promise<Buffer> {
  const bytes = await readBody(c, MAX_PHOTO_BYTES, 'A photo has 2 MiB at the most');
  if (bytes.length === 0) throw new RoomyError('MALFORMED_REQUEST', { text: 'The body is empty' });
  return bytes;
}
