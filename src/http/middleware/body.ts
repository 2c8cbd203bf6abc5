import { boundedChunks } from '../../kernel/bounded.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { AnyContext } from '../context.ts';

/**
 * A request's body within its bound, as it arrives. The only reader of bodies of this port: no route can forget the
 * bound. Throws `PAYLOAD_TOO_LARGE`, before anything is read where the length is announced, and `MALFORMED_REQUEST`
 * for a body that does not arrive whole. `text` says the bound for people.
 */
export async function* bodyChunks(c: AnyContext, maxBytes: number, text?: string): AsyncGenerator<Uint8Array> {
  const tooLarge = (): RoomyError => new RoomyError('PAYLOAD_TOO_LARGE', text === undefined ? {} : { text });
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge();
  try {
    yield* boundedChunks(c.req.raw.body, maxBytes, tooLarge);
  } catch (error) {
    if (error instanceof RoomyError) throw error;
    throw new RoomyError('MALFORMED_REQUEST', { text: 'The body did not arrive whole', cause: error });
  }
}

/** The whole body, in memory. */
export async function readBody(c: AnyContext, maxBytes: number, text?: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bodyChunks(c, maxBytes, text)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
