import { RoomyError } from '../../kernel/errors.ts';
import type { AnyContext } from '../context.ts';

export const MAX_PHOTO_BYTES = 2 * 1024 * 1024;

/** The bytes of a picture, counted as they arrive. Throws `PAYLOAD_TOO_LARGE` and `MALFORMED_REQUEST`. */
export async function readPhotoBody(c: AnyContext): Promise<Buffer> {
  const tooLarge = (): RoomyError => new RoomyError('PAYLOAD_TOO_LARGE', { text: 'A photo has 2 MiB at the most' });
  if (Number(c.req.header('content-length') ?? 0) > MAX_PHOTO_BYTES) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of c.req.raw.body ?? []) {
      size += chunk.byteLength;
      if (size > MAX_PHOTO_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof RoomyError) throw error;
    throw new RoomyError('MALFORMED_REQUEST', { text: 'The body did not arrive whole', cause: error });
  }
  if (size === 0) throw new RoomyError('MALFORMED_REQUEST', { text: 'The body is empty' });
  return Buffer.concat(chunks);
}
