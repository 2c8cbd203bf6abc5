import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { barePicture } from '../../src/domain/tasks/pictures/bare.ts';
import { orientationOf } from '../../src/domain/tasks/pictures/orientation.ts';
import { CANARY, exif, tinyJpeg, tinyPng, tinyWebp, withMetadata } from '../setup/pictures.ts';

/** What is left of a picture, byte by byte. That browsers show the same: test/work/photos.test.ts. */

const PICTURES: Readonly<Record<string, Buffer>> = {
  'image/jpeg': tinyJpeg(7),
  'image/png': tinyPng(),
  'image/webp': tinyWebp(),
};
const cases = Object.entries(PICTURES).flatMap(([type, bytes]) =>
  [1, 3, 6, 8].flatMap((orientation) => [true, false].map((isLittle) => ({ type, bytes, orientation, isLittle }))),
);
/** As the minimal Exif has it, wherever it stands. */
function orientationIn(bytes: Buffer): number | null {
  const at = bytes.indexOf('MM\0*', 0, 'latin1');
  return at < 0 ? null : orientationOf(bytes.subarray(at));
}

describe('K14: a picture', () => {
  it.each(Object.entries(PICTURES))('without metadata stays as it is: %s', (type, bytes) => {
    expect(barePicture(bytes)).toEqual({ contentType: type, bytes });
  });
  it.each(cases)(
    'loses all but its orientation: $type, $orientation, little $isLittle',
    ({ type, bytes, orientation, isLittle }) => {
      const photo = withMetadata(type, bytes, orientation, isLittle);
      expect(photo.includes(CANARY)).toBe(true);
      const bare = barePicture(photo)?.bytes ?? Buffer.alloc(0);
      expect(bare.includes('canary')).toBe(false);
      expect(bare.length).toBeLessThan(bytes.length + 70);
      expect(orientationIn(bare)).toBe(orientation === 1 ? null : orientation);
      expect(barePicture(bare)).toEqual({ contentType: type, bytes: bare });
    },
  );
  const jpeg = tinyJpeg(7);
  const jpegWith = (...segments: readonly Buffer[]): Buffer =>
    Buffer.concat([jpeg.subarray(0, 2), ...segments, jpeg.subarray(2)]);
  const segment = (marker: number, body: Buffer): Buffer =>
    Buffer.concat([Buffer.from([0xff, marker, 0, body.length + 2]), body]);
  it('keeps of a JPEG what is known to belong to its pixels, and nothing else', () => {
    const kept = Array.from({ length: 0xff - 0xc0 }, (_, at) => 0xc0 + at).filter((marker) => {
      const bare = barePicture(jpegWith(segment(marker, Buffer.from('canary'))));
      return bare?.bytes.includes('canary') ?? false;
    });
    const frames = Array.from({ length: 16 }, (_, at) => 0xc0 + at).filter((marker) => marker !== 0xc8);
    expect(kept).toEqual([...frames, 0xda, 0xdb, 0xdc, 0xdd]);
  });
  it('that is a JPEG without an end is none', () => {
    expect(barePicture(jpeg.subarray(0, -2))).toBeNull();
  });
  it('is turned by the first Exif, whatever it says', () => {
    const exifOf = (orientation: number) =>
      segment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), exif(orientation, true)]));
    const turned = (...segments: readonly Buffer[]) =>
      orientationIn(barePicture(jpegWith(...segments))?.bytes ?? Buffer.alloc(0));
    expect(turned(exifOf(1), exifOf(6))).toBeNull();
    expect(turned(exifOf(6), exifOf(3))).toBe(6);
  });
  it.each(Object.entries(PICTURES))('that is cut off anywhere is none, or is bare: %s', (type, bytes) => {
    const photo = withMetadata(type, bytes, 6);
    for (let length = 0; length < photo.length; length += 1)
      expect(barePicture(photo.subarray(0, length))?.bytes.includes('canary') ?? false).toBe(false);
  });
  it.each(Object.entries(PICTURES))(
    'with bytes that mean nothing is refused or bare, and never an error: %s',
    (type, bytes) => {
      const photo = withMetadata(type, bytes, 6);
      const change = fc.tuple(fc.nat(photo.length - 1), fc.nat(255));
      fc.assert(
        fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
          const broken = Buffer.from(photo);
          for (const [at, value] of changes) broken.writeUInt8(value, at);
          const bare = barePicture(broken);
          if (bare !== null) expect(barePicture(bare.bytes)?.bytes.equals(bare.bytes)).toBe(true);
        }),
        { numRuns: 300 },
      );
    },
  );
});
