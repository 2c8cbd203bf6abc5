import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import { barePicture } from './pictures/bare.ts';
import { assertOwnTask, lockOwnTask, type WorkScope } from './work.ts';

/** Photos of a task. The one who takes a photo chooses its id, so that sending it twice stores it once. */

const MAX_PHOTOS = 30;

export interface NewPhoto {
  readonly taskId: string;
  readonly photoId: string;
  readonly bytes: Buffer;
}

/**
 * Keeps it without what a camera has written into it. True when it is new. Throws `TASK_NOT_FOUND`, `UNSUPPORTED_MEDIA_TYPE`,
 * `ALREADY_EXISTS` for another photo under the same id, and `VALIDATION_FAILED` when the task has enough of them.
 */
export async function addPhoto(tx: Tx, photo: NewPhoto, scope: WorkScope, uploadedBy: string): Promise<boolean> {
  const { taskId, photoId } = photo;
  const bare = barePicture(photo.bytes);
  if (bare === null) throw new RoomyError('UNSUPPORTED_MEDIA_TYPE', { text: 'A whole JPEG, PNG or WebP is needed' });
  const { contentType, bytes } = bare;
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
    // Those of before were kept as they came.
    if ([sha256, sha256OfBytes(photo.bytes)].some((digest) => known.sha256.equals(digest))) return false;
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

/** Throws `TASK_NOT_FOUND`, and `NOT_FOUND` for a photo that the task does not have, or that is no picture that can be made bare. */
export async function readPhoto(db: Db, taskId: string, photoId: string, scope: WorkScope) {
  await assertOwnTask(db, taskId, scope);
  const row = await db
    .selectFrom('task_photo')
    .select(['content_type', 'bytes', 'sha256'])
    .where('task_id', '=', taskId)
    .where('id', '=', photoId)
    .executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND', { details: { id: photoId } });
  // Those that were stored before photos were kept bare are given out bare, or not at all.
  const bytes = barePicture(row.bytes)?.bytes;
  if (bytes === undefined)
    throw new RoomyError('NOT_FOUND', { text: 'The photo is no whole picture', details: { id: photoId } });
  return { contentType: row.content_type, bytes, tag: `${row.sha256.toString('hex')}-bare` };
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

/** Deletes some photos that are so many days old, of tasks that are over; answers how many. */
export async function prunePhotos(db: Db, days: number, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    DELETE FROM task_photo WHERE (task_id, id) IN (
      SELECT p.task_id, p.id FROM task_photo p JOIN task t ON t.id = p.task_id
       WHERE p.created_at < now() - ${days}::int * interval '1 day' AND t.status NOT IN ('UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS')
       ORDER BY p.created_at LIMIT ${limit}::int)`.execute(db);
  return Number(numAffectedRows ?? 0n);
}
