-- The stays whose reminders are not those of their version. They stand here and not in an index of the stays by their own columns: to note
-- that the reminders are planned is to change nothing that an index of the stay has, so that its row is written and no index is.
CREATE TABLE reminder_mark (
  reservation_id text PRIMARY KEY REFERENCES reservation ON DELETE CASCADE
);

CREATE FUNCTION mark_reminders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.reminded_version IS DISTINCT FROM NEW.version AND (NEW.status <> 'PENDING' OR NEW.reminded_version IS NOT NULL) THEN
    INSERT INTO reminder_mark VALUES (NEW.id) ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM reminder_mark WHERE reservation_id = NEW.id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER reminders_are_due AFTER INSERT ON reservation FOR EACH ROW
  WHEN (NEW.reminded_version IS DISTINCT FROM NEW.version AND (NEW.status <> 'PENDING' OR NEW.reminded_version IS NOT NULL))
  EXECUTE FUNCTION mark_reminders();
CREATE TRIGGER reminders_change AFTER UPDATE ON reservation FOR EACH ROW
  WHEN ((OLD.reminded_version IS DISTINCT FROM OLD.version AND (OLD.status <> 'PENDING' OR OLD.reminded_version IS NOT NULL))
    <> (NEW.reminded_version IS DISTINCT FROM NEW.version AND (NEW.status <> 'PENDING' OR NEW.reminded_version IS NOT NULL)))
  EXECUTE FUNCTION mark_reminders();

INSERT INTO reminder_mark
  SELECT id FROM reservation WHERE reminded_version IS DISTINCT FROM version AND (status <> 'PENDING' OR reminded_version IS NOT NULL);
DROP INDEX reservation_to_remind;
-- Room on the page for what changes in no index.
ALTER TABLE reservation SET (fillfactor = 75);
