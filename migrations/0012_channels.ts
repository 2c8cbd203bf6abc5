import { type Kysely, sql } from 'kysely';

/** What came of a message after it was handed over, and the other channel where one failed. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANNELS).execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
    DROP INDEX IF EXISTS notification_by_provider;
    ALTER TABLE notification DROP CONSTRAINT notification_status_check, DROP COLUMN delivered_at, DROP COLUMN fallback_of;
    ALTER TABLE notification ADD CONSTRAINT notification_status_check
      CHECK (status IN ('QUEUED','SENDING','SENT','FAILED','SKIPPED','BLOCKED'));
  `)
    .execute(db);
}

const CHANNELS = `
ALTER TABLE notification
  DROP CONSTRAINT notification_status_check,
  ADD CONSTRAINT notification_status_check CHECK (status IN ('QUEUED','SENDING','SENT','DELIVERED','FAILED','SKIPPED','BLOCKED')),
  ADD COLUMN delivered_at timestamptz,
  ADD COLUMN fallback_of text REFERENCES notification(id);  -- the message over the other channel that could not be sent
CREATE INDEX notification_by_provider ON notification (provider_id) WHERE channel = 'SMS' AND provider_id IS NOT NULL;
`;
