import { crc32 } from 'node:zlib';
import { orientationOf, tiffOf } from './orientation.ts';

/** PNG (third edition): a signature, and chunks of a length, a type, data and a checksum. */

const SIGNATURE = 8;
const FRAME = 12;
/** What pixels, their colours, transparency, density and movement are made of. Texts, times and whatever else there is go. */
const KEPT = new Set(
  'IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs acTL fcTL fdAT'.split(' '),
);

/** The same pixels, without what does not belong to them, but for the orientation. Null: it is no PNG that can be walked. */
export function barePng(bytes: Buffer): Buffer | null {
  const kept: Buffer[] = [];
  let orientation: number | null = null;
  for (let at = SIGNATURE; at + FRAME <= bytes.length; ) {
    const end = at + FRAME + bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (end > bytes.length || (kept.length === 0) !== (type === 'IHDR')) return null;
    if (type === 'eXIf') orientation ??= orientationOf(bytes.subarray(at + 8, end - 4));
    if (KEPT.has(type)) kept.push(bytes.subarray(at, end));
    at = end;
    if (type !== 'IEND') continue;
    const [header = Buffer.alloc(0), ...rest] = kept;
    const turned = orientation === null ? [] : [chunk('eXIf', tiffOf(orientation))];
    return Buffer.concat([bytes.subarray(0, SIGNATURE), header, ...turned, ...rest]);
  }
  return null;
}

function chunk(type: string, data: Buffer): Buffer {
  const made = Buffer.alloc(FRAME + data.length);
  made.writeUInt32BE(data.length, 0);
  made.write(type, 4, 'latin1');
  data.copy(made, 8);
  made.writeUInt32BE(crc32(made.subarray(4, 8 + data.length)), 8 + data.length);
  return made;
}
