import type { Db, Tx } from '../../db/client.ts';
import type { PhotoType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import { assertOwnTask, lockOwnTask, type WorkScope } from './work.ts';

/** Photos of a task. The one who takes a photo chooses its id, so that sending it twice stores it once. */

const MAX_PHOTOS = 30;

export interface NewPhoto {
  readonly taskId: string;
  readonly photoId: string;
  readonly bytes: Buffer;
}

/** By its first bytes, whatever the sender calls it; null: no picture that a browser surely shows. */
export function photoTypeOf(bytes: Buffer): PhotoType | null {
  const starts = (...magic: readonly number[]): boolean => magic.every((byte, at) => bytes[at] === byte);
  if (starts(0xff, 0xd8, 0xff)) return 'image/jpeg';
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return 'image/png';
  if (bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP') return 'image/webp';
  return null;
}

/**
 * True when it is new. Throws `TASK_NOT_FOUND`, `UNSUPPORTED_MEDIA_TYPE`, `ALREADY_EXISTS` for other bytes under the same
 * id, and `VALIDATION_FAILED` when the task has enough of them.
 */
export async function addPhoto(tx: Tx, photo: NewPhoto, scope: WorkScope, uploadedBy: string): Promise<boolean> {
  const { taskId, photoId, bytes } = photo;
  const contentType = photoTypeOf(bytes);
  if (contentType === null) throw new RoomyError('UNSUPPORTED_MEDIA_TYPE', { text: 'A JPEG, PNG or WebP is needed' });
  // One at a time for a task, so that the count holds.
  await lockOwnTask(tx, taskId, scope);
  const sha256 = sha256OfBytes(bytes);
  const known = await tx
    .selectFrom('task_photo')
    .select('sha256')
    .where('task_id', '=', taskId)
    .where('id', '=', photoId)
    .executeTakeFirst();
  if (known) {
    if (known.sha256.equals(sha256)) return false;
    throw new RoomyError('ALREADY_EXISTS', { details: { id: photoId } });
  }
  const { count } = await tx
    .selectFrom('task_photo')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('task_id', '=', taskId)
    .executeTakeFirstOrThrow();
  if (Number(count) >= MAX_PHOTOS) {
    throw new RoomyError('VALIDATION_FAILED', {
      details: { issues: [{ path: 'photoId', message: `a task has ${MAX_PHOTOS} photos at the most` }] },
    });
  }
  await tx
    .insertInto('task_photo')
    .values({ task_id: taskId, id: photoId, content_type: contentType, bytes, sha256, uploaded_by: uploadedBy })
    .execute();
  return true;
}

/** Throws `TASK_NOT_FOUND`, and `NOT_FOUND` for a photo that the task does not have. */
export async function readPhoto(db: Db, taskId: string, photoId: string, scope: WorkScope) {
  await assertOwnTask(db, taskId, scope);
  const row = await db
    .selectFrom('task_photo')
    .select(['content_type', 'bytes', 'sha256'])
    .where('task_id', '=', taskId)
    .where('id', '=', photoId)
    .executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND', { details: { id: photoId } });
  return { contentType: row.content_type, bytes: row.bytes, tag: row.sha256.toString('hex') };
}

/** Throws `REFERENCE_NOT_FOUND` for a photo that was never sent. */
export async function assertPhotos(tx: Tx, taskId: string, photoIds: readonly string[]): Promise<void> {
  if (photoIds.length === 0) return;
  const rows = await tx
    .selectFrom('task_photo')
    .select('id')
    .where('task_id', '=', taskId)
    .where('id', 'in', [...new Set(photoIds)])
    .execute();
  const known = new Set(rows.map((row) => row.id));
  const missing = photoIds.filter((id) => !known.has(id));
  if (missing.length > 0) throw new RoomyError('REFERENCE_NOT_FOUND', { details: { field: 'photos', missing } });
}
