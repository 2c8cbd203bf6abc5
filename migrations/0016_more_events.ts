import { type Kysely, sql } from 'kysely';

/** What became of a message, and people who came or changed, are events as well. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(MESSAGES).execute(db);
  for (const table of PEOPLE) await sql.raw(personEvents(table)).execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  for (const table of PEOPLE) {
    await sql
      .raw(
        `DROP TRIGGER events_of_new ON ${table}; DROP TRIGGER events_of_change ON ${table}; DROP FUNCTION ${table}_events();`,
      )
      .execute(db);
  }
  await sql.raw('DROP TRIGGER events_of_change ON notification; DROP FUNCTION notification_events();').execute(db);
}

const PEOPLE = ['guest', 'owner', 'staff'] as const;

const MESSAGES = `
CREATE FUNCTION notification_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
  VALUES ('notification.' || lower(NEW.status), 'notification', NEW.id, NEW.reservation_id, jsonb_build_object('status', NEW.status,
    'event', NEW.event, 'channel', NEW.channel, 'recipientType', NEW.recipient_type, 'recipientId', NEW.recipient_id,
    'reason', NEW.reason, 'taskId', NEW.task_id));
  RETURN NULL;
END $$;
-- What is only tried, or put off, is no state that anybody needs to know.
CREATE TRIGGER events_of_change AFTER UPDATE OF status ON notification FOR EACH ROW
  WHEN (NEW.status <> OLD.status AND NEW.status NOT IN ('QUEUED','SENDING')) EXECUTE FUNCTION notification_events();
`;

/** Never what they are called, nor where they are reached. */
const personEvents = (table: (typeof PEOPLE)[number]): string => `
CREATE FUNCTION ${table}_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO domain_event (type, resource, resource_id, data)
  VALUES ('${table}.' || CASE TG_OP WHEN 'INSERT' THEN 'created' ELSE 'updated' END, '${table}', NEW.id,
    jsonb_build_object('version', NEW.version${table === 'staff' ? ", 'role', NEW.role, 'active', NEW.active" : ''}));
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON ${table} FOR EACH ROW
  WHEN (NEW.version <> OLD.version) EXECUTE FUNCTION ${table}_events();
`;
