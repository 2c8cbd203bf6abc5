/**
 * How a picture is to be turned (Exif 3.0, tag 0x0112; 1 to 8). It is all that is kept of what a camera writes into a picture: without it
 * a photo that was taken upright lies on its side.
 */

const ORIENTATION = 0x0112;
const SHORT = 3;
/** As it stands: nothing has to be said. */
const UPRIGHT = 1;
const ENTRY = 12;
/** Of the first directory; more is no picture of a camera. */
const MAX_ENTRIES = 1_000;

/** Of a TIFF structure, as Exif is one; null: it says none, or is broken. */
export function orientationOf(tiff: Buffer): number | null {
  const order = tiff.toString('latin1', 0, 2);
  if (tiff.length < 8 || (order !== 'II' && order !== 'MM')) return null;
  const isLittle = order === 'II';
  const short = (at: number): number => (isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const first = isLittle ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
  if (first + 2 > tiff.length) return null;
  const entries = Math.min(short(first), MAX_ENTRIES);
  for (let n = 0, at = first + 2; n < entries && at + ENTRY <= tiff.length; n += 1, at += ENTRY) {
    if (short(at) !== ORIENTATION || short(at + 2) !== SHORT) continue;
    const value = short(at + 8);
    return value > UPRIGHT && value <= 8 ? value : null;
  }
  return null;
}

/** A TIFF structure that says this alone. */
export function tiffOf(orientation: number): Buffer {
  const tiff = Buffer.alloc(26);
  tiff.write('MM\0*', 'latin1');
  tiff.writeUInt32BE(8, 4);
  tiff.writeUInt16BE(1, 8);
  tiff.writeUInt16BE(ORIENTATION, 10);
  tiff.writeUInt16BE(SHORT, 12);
  tiff.writeUInt32BE(1, 14);
  tiff.writeUInt16BE(orientation, 18);
  return tiff;
}
