import { orientationOf, tiffOf } from './orientation.ts';

/** JPEG (ITU-T T.81): segments, each with a marker and most with a length, and between them what the pixels are made of. */

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP2 = 0xe2;
const APP14 = 0xee;
const APP15 = 0xef;
/** The first that has a length. */
const FIRST = 0xc0;
/** What the decoder needs: frames, tables of codes and of quantization, scans, numbers of lines, intervals of restarts. */
const isOfPixels = (marker: number): boolean =>
  (marker >= FIRST && marker <= 0xcf && marker !== 0xc8) || (marker >= SOS && marker <= 0xdd);
const EXIF = Buffer.from('Exif\0\0', 'latin1');

/**
 * The same pixels, without what does not belong to them: Exif but for the orientation, XMP, IPTC, comments, previews, and whatever
 * comes behind the end. Null: it is no JPEG that can be walked, to its end.
 */
export function bareJpeg(bytes: Buffer): Buffer | null {
  const kept: Buffer[] = [bytes.subarray(0, 2)];
  let orientation: number | null = null;
  let [hasExif, hasScan, hasEnd] = [false, false, false];
  let at = 2;
  while (at + 2 <= bytes.length) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1] ?? 0;
    // Any number of them may stand in front of a marker.
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (marker === EOI) {
      hasEnd = true;
      break;
    }
    if (at + 4 > bytes.length || marker < FIRST || marker === SOI || isRestart(marker)) return null;
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if (end < at + 4 || end > bytes.length) return null;
    const body = bytes.subarray(at + 4, end);
    // The first one counts, whatever it says.
    if (marker === APP1 && !hasExif && body.subarray(0, 6).equals(EXIF)) {
      hasExif = true;
      orientation = orientationOf(body.subarray(6));
    }
    const own = keptOf(marker, body);
    if (own !== null) kept.push(own === body ? bytes.subarray(at, end) : segment(marker, own));
    at = end;
    if (marker !== SOS) continue;
    hasScan = true;
    const scanEnd = endOfScan(bytes, at);
    kept.push(bytes.subarray(at, scanEnd));
    at = scanEnd;
  }
  if (!hasScan || !hasEnd) return null;
  const turned = orientation === null ? [] : [segment(APP1, Buffer.concat([EXIF, tiffOf(orientation)]))];
  const [head = Buffer.alloc(0), ...rest] = kept;
  return Buffer.concat([head, ...turned, ...rest, Buffer.from([0xff, EOI])]);
}

/** What is kept of a segment; null: nothing. */
function keptOf(marker: number, body: Buffer): Buffer | null {
  const begins = (text: string): boolean => body.toString('latin1', 0, text.length) === text;
  if (marker < APP0 || marker > APP15) return isOfPixels(marker) ? body : null;
  // Density of the pixels, without the preview that may follow.
  if (marker === APP0)
    return begins('JFIF\0') && body.length >= 14 ? Buffer.concat([body.subarray(0, 12), Buffer.alloc(2)]) : null;
  // The profile and the transform of the colours: without them they are others.
  if (marker === APP2) return begins('ICC_PROFILE\0') ? body : null;
  return marker === APP14 && begins('Adobe') ? body : null;
}

const isRestart = (marker: number): boolean => marker >= 0xd0 && marker <= 0xd7;

/** Where the next marker stands that is none of the scan's own. */
function endOfScan(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1];
    if (next !== undefined && next !== 0 && !isRestart(next)) return at;
  }
  return bytes.length;
}

function segment(marker: number, body: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([head, body]);
}
