import { crc32, deflateSync } from 'node:zlib';

/** Pictures as cameras and phones make them, with everything in them that is nobody's business. */

const segment = (marker: number, body: Buffer): Buffer => {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([head, body]);
};
const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A scan of one component and two bytes of pixels: the least that can be walked. */
export const tinyJpeg = (pixel: number): Buffer =>
  Buffer.from([0xff, 0xd8, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, pixel, 0xff, 0, 0xff, 0xd9]);

const pngChunk = (type: string, data: Buffer): Buffer => {
  const body = Buffer.concat([latin(type), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
};
export const tinyPng = (): Buffer =>
  Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk('IHDR', Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0])),
    pngChunk('IDAT', deflateSync(Buffer.from([0, 255]))),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
const riffChunk = (type: string, data: Buffer): Buffer => {
  const head = Buffer.alloc(8);
  head.write(type, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
};
/** One white pixel, without loss. */
export const tinyWebp = (): Buffer => Buffer.from('UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==', 'base64');

/** What stands in each place where a picture may have it, and must be gone. */
export const CANARY = 'canary 25.2048N 55.2708E';

/** An Exif of a camera: its maker, the orientation, and the place (in a directory of its own), in either order of bytes. */
export function exif(orientation: number, isLittle: boolean): Buffer {
  const text = latin(`${CANARY}\0`);
  const tiff = Buffer.alloc(8 + 2 + 3 * 12 + 4 + 2 + 12 + 4);
  const short = (value: number, at: number) =>
    isLittle ? tiff.writeUInt16LE(value, at) : tiff.writeUInt16BE(value, at);
  const long = (value: number, at: number) =>
    isLittle ? tiff.writeUInt32LE(value, at) : tiff.writeUInt32BE(value, at);
  const entry = (at: number, tag: number, type: number, count: number, value: number): void => {
    short(tag, at);
    short(type, at + 2);
    long(count, at + 4);
    if (type === 3) short(value, at + 8);
    else long(value, at + 8);
  };
  tiff.write(isLittle ? 'II' : 'MM', 'latin1');
  short(42, 2);
  long(8, 4);
  short(3, 8);
  entry(10, 0x010f, 2, text.length, tiff.length);
  entry(22, 0x0112, 3, 1, orientation);
  entry(34, 0x8825, 4, 1, 50);
  short(1, 50);
  entry(52, 0x001b, 2, text.length, tiff.length);
  return Buffer.concat([tiff, text]);
}

/** With metadata in every place of the format; `orientation` 1: it stands upright. */
export function withMetadata(type: string, bytes: Buffer, orientation: number, isLittle = false): Buffer {
  const tiff = exif(orientation, isLittle);
  if (type === 'image/jpeg') {
    return Buffer.concat([
      bytes.subarray(0, 2),
      segment(0xe1, Buffer.concat([latin('Exif\0\0'), tiff])),
      segment(0xe0, latin(`JFXX\0${CANARY}`)),
      segment(0xe1, latin(`http://ns.adobe.com/xap/1.0/\0<x>${CANARY}</x>`)),
      segment(0xe2, latin(`MPF\0${CANARY}`)),
      segment(0xed, latin(`Photoshop 3.0\0${CANARY}`)),
      segment(0xee, latin(CANARY)),
      segment(0xef, latin(CANARY)),
      segment(0xfe, latin(CANARY)),
      bytes.subarray(2),
      // A second picture, or a film, behind the first.
      bytes,
      latin(CANARY),
    ]);
  }
  if (type === 'image/png') {
    const texts = ['tEXt', 'iTXt', 'zTXt', 'tIME', 'zzZz'].map((name) => pngChunk(name, latin(`Comment\0${CANARY}`)));
    const afterHeader = 8 + 25;
    const end = bytes.length - 12;
    return Buffer.concat([
      bytes.subarray(0, afterHeader),
      pngChunk('eXIf', tiff),
      ...texts,
      bytes.subarray(afterHeader, end),
      ...texts,
      bytes.subarray(end),
      latin(CANARY),
    ]);
  }
  // The size is that of the canvas, which a simple file says in its one chunk of pixels.
  const extended = bytes.toString('latin1', 12, 16) === 'VP8X';
  const size = extended
    ? Buffer.from(bytes.subarray(20, 30))
    : Buffer.concat([Buffer.from([0, 0, 0, 0]), canvasOf(bytes)]);
  size.writeUInt8(size.readUInt8(0) | 0x0c, 0);
  const body = Buffer.concat([
    latin('WEBP'),
    riffChunk('VP8X', size),
    bytes.subarray(extended ? 30 : 12),
    riffChunk('EXIF', tiff),
    riffChunk('XMP ', latin(CANARY)),
    riffChunk('ZZZZ', latin(CANARY)),
  ]);
  return Buffer.concat([riffChunk('RIFF', body), latin(CANARY)]);
}

/** Width and height less one, three bytes each, of a simple WebP. */
function canvasOf(bytes: Buffer): Buffer {
  const isLossless = bytes.toString('latin1', 12, 16) === 'VP8L';
  const packed = isLossless ? bytes.readUInt32LE(21) : 0;
  const width = isLossless ? packed & 0x3fff : (bytes.readUInt16LE(26) & 0x3fff) - 1;
  const height = isLossless ? (packed >>> 14) & 0x3fff : (bytes.readUInt16LE(28) & 0x3fff) - 1;
  const canvas = Buffer.alloc(6);
  canvas.writeUIntLE(width, 0, 3);
  canvas.writeUIntLE(height, 3, 3);
  return canvas;
}
