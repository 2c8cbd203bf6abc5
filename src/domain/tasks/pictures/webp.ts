import { orientationOf, tiffOf } from './orientation.ts';

/** WebP (RFC 9649): a RIFF file of chunks, each of a type, a length and data that is padded to an even number of bytes. */

const HEAD = 12;
const CHUNK = 8;
/** What pixels, transparency, colours and movement are made of. Exif, XMP and whatever is not known go. */
const KEPT = new Set(['VP8 ', 'VP8L', 'VP8X', 'ALPH', 'ANIM', 'ANMF', 'ICCP']);
const IN_FRAME = new Set(['VP8 ', 'VP8L', 'ALPH']);
/** In front of the chunks of a frame of an animation. */
const FRAME = 16;
/** In the first byte of `VP8X`. */
const HAS_XMP = 0x04;
const HAS_EXIF = 0x08;
const EXIF = Buffer.from('Exif\0\0', 'latin1');

interface Chunk {
  readonly type: string;
  readonly data: Buffer;
}

/** The same pixels, without what does not belong to them, but for the orientation. Null: it is no WebP that can be walked. */
export function bareWebp(bytes: Buffer): Buffer | null {
  if (bytes.length < HEAD) return null;
  const end = CHUNK + bytes.readUInt32LE(4);
  const chunks = end > bytes.length ? null : chunksOf(bytes.subarray(HEAD, end));
  if (chunks === null || !chunks.some(({ type }) => IN_FRAME.has(type) || type === 'ANMF')) return null;
  const exif = chunks.find(({ type }) => type === 'EXIF')?.data;
  const tiff = exif?.subarray(0, 6).equals(EXIF) ? exif.subarray(6) : exif;
  // Without the chunk that says so, readers do not look for it.
  const orientation = tiff && chunks[0]?.type === 'VP8X' ? orientationOf(tiff) : null;
  const kept: Buffer[] = [];
  for (const { type, data } of chunks) {
    if (!KEPT.has(type)) continue;
    const own = type === 'VP8X' ? flagged(data, orientation !== null) : type === 'ANMF' ? frameOf(data) : data;
    if (own === null) return null;
    kept.push(written(type, own));
  }
  if (orientation !== null) kept.push(written('EXIF', tiffOf(orientation)));
  const body = Buffer.concat([Buffer.from('WEBP'), ...kept]);
  return written('RIFF', body);
}

/** Null: they do not end where they should. */
function chunksOf(bytes: Buffer): readonly Chunk[] | null {
  const chunks: Chunk[] = [];
  let at = 0;
  while (at + CHUNK <= bytes.length) {
    const length = bytes.readUInt32LE(at + 4);
    const data = bytes.subarray(at + CHUNK, at + CHUNK + length);
    if (data.length < length) return null;
    chunks.push({ type: bytes.toString('latin1', at, at + 4), data });
    at += CHUNK + length + (length % 2);
  }
  return at >= bytes.length ? chunks : null;
}

function flagged(data: Buffer, hasExif: boolean): Buffer | null {
  if (data.length < 10) return null;
  const own = Buffer.from(data);
  own.writeUInt8((own.readUInt8(0) & ~(HAS_XMP | HAS_EXIF)) | (hasExif ? HAS_EXIF : 0), 0);
  return own;
}

function frameOf(data: Buffer): Buffer | null {
  const chunks = data.length < FRAME ? null : chunksOf(data.subarray(FRAME));
  if (chunks === null) return null;
  const own = chunks.filter(({ type }) => IN_FRAME.has(type)).map((chunk) => written(chunk.type, chunk.data));
  return Buffer.concat([data.subarray(0, FRAME), ...own]);
}

function written(type: string, data: Buffer): Buffer {
  const head = Buffer.alloc(CHUNK);
  head.write(type, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
}
