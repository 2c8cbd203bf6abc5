/**
 * Bytes from elsewhere, counted as they arrive: a chunked body announces no length, and an announced one may lie. Every
 * body that is received, and every answer of a provider, is read through here.
 */
export async function* boundedChunks(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  tooMany: () => Error,
): AsyncGenerator<Uint8Array> {
  const reader = stream?.getReader();
  if (!reader) return;
  let bytes = 0;
  let isWhole = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isWhole = done;
      if (done) return;
      bytes += value.byteLength;
      if (bytes > maxBytes) throw tooMany();
      yield value;
    }
  } finally {
    // The rest need not be sent, as nobody reads it. A failure of this changes nothing.
    if (!isWhole) reader.cancel().catch(() => undefined);
  }
}

/** All of it, in memory. Throws what `tooMany` makes as soon as there is one byte more, and what the stream throws. */
export async function readBounded(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  tooMany: () => Error,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of boundedChunks(stream, maxBytes, tooMany)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
