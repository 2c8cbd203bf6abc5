import { readBounded } from './bounded.ts';

/** `fetch` that reads an answer up to a number of bytes, and rejects beyond. */
export const boundedFetch =
  (maxBytes: number) =>
  async (url: string, init: RequestInit): Promise<Response> => {
    const { body, status, headers } = await fetch(url, init);
    const bytes = await readBounded(body, maxBytes, () => new RangeError(`an answer of more than ${maxBytes} bytes`));
    return new Response(bytes.length === 0 ? null : new Uint8Array(bytes), { status, headers });
  };
