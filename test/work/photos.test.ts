import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { CANARY, withMetadata } from '../setup/pictures.ts';
import { type System, startSystem } from '../setup/system.ts';
import { openDesk, type Phone } from './browser.ts';

/** A photo as a phone takes it, sent and fetched again: without its place, and shown by a browser as it was. */

let system: System;
let desk: Phone;
let page: Page;
let taskId: string;
beforeAll(async () => {
  system = await startSystem();
  desk = await openDesk();
  page = await desk.context.newPage();
  await prepareStays(system.bed.db);
  const stay = await seedStay(system.bed.db);
  expect((await system.call('POST', `/reservations/${stay}/confirm`, { body: {} })).status).toBe(200);
  taskId = (await system.bed.db.selectFrom('task').select('id').limit(1).executeTakeFirstOrThrow()).id;
});
afterAll(async () => {
  await desk?.close();
  await system?.close();
});

/** Four colours, wider than high, as Chromium writes them. */
const painted = async (type: string): Promise<Buffer> =>
  Buffer.from(
    await page.evaluate<string>(`(async () => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [64, 32];
      const pen = canvas.getContext('2d');
      for (const [n, colour] of ['#c02010', '#20a040', '#2040c0', '#e0c020'].entries()) {
        pen.fillStyle = colour;
        pen.fillRect((n % 2) * 32, Math.floor(n / 2) * 16, 32, 16);
      }
      return canvas.toDataURL('${type}', 0.9).split(',')[1];
    })()`),
    'base64',
  );
/** Its size and all of its pixels as they are shown. */
const shown = (type: string, bytes: Buffer): Promise<{ size: number[]; pixels: string }> =>
  page.evaluate(`(async () => {
    const picture = new Image();
    picture.src = 'data:${type};base64,${bytes.toString('base64')}';
    await picture.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    const pen = canvas.getContext('2d');
    pen.drawImage(picture, 0, 0);
    const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
    return { size: [canvas.width, canvas.height], pixels: [...data].join() };
  })()`);

let photos = 0;
async function stored(type: string, bytes: Buffer): Promise<Buffer> {
  photos += 1;
  const { app, headers } = await system.as({});
  const path = `/api/production/tasks/${taskId}/photos/photo-${photos}`;
  const sent = await app.request(path, {
    method: 'PUT',
    body: new Uint8Array(bytes),
    headers: { ...headers, 'content-type': type },
  });
  expect(sent.status).toBe(201);
  return Buffer.from(await (await app.request(path, { headers })).arrayBuffer());
}

describe.each(['image/jpeg', 'image/png', 'image/webp'])('K14: %s', (type) => {
  it.each([1, 3, 6, 8])(
    'is shown as before, and has nothing but its pixels and its orientation: %i',
    async (orientation) => {
      const photo = withMetadata(type, await painted(type), orientation);
      const kept = await stored(type, photo);
      expect(photo.includes(CANARY)).toBe(true);
      expect(kept.includes('canary')).toBe(false);
      const [before, after] = [await shown(type, photo), await shown(type, kept)];
      expect(after).toEqual(before);
      // JPEG is the format of cameras, and what every browser turns.
      if (type === 'image/jpeg') expect(after.size).toEqual(orientation > 4 ? [32, 64] : [64, 32]);
    },
  );
});
