-- What became of a message, and people who came or changed, are events as well.

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

-- Never what they are called, nor where they are reached.
CREATE FUNCTION guest_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO domain_event (type, resource, resource_id, data)
  VALUES ('guest.' || CASE TG_OP WHEN 'INSERT' THEN 'created' ELSE 'updated' END, 'guest', NEW.id,
    jsonb_build_object('version', NEW.version));
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON guest FOR EACH ROW EXECUTE FUNCTION guest_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON guest FOR EACH ROW
  WHEN (NEW.version <> OLD.version) EXECUTE FUNCTION guest_events();

CREATE FUNCTION owner_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO domain_event (type, resource, resource_id, data)
  VALUES ('owner.' || CASE TG_OP WHEN 'INSERT' THEN 'created' ELSE 'updated' END, 'owner', NEW.id,
    jsonb_build_object('version', NEW.version));
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON owner FOR EACH ROW EXECUTE FUNCTION owner_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON owner FOR EACH ROW
  WHEN (NEW.version <> OLD.version) EXECUTE FUNCTION owner_events();

CREATE FUNCTION staff_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO domain_event (type, resource, resource_id, data)
  VALUES ('staff.' || CASE TG_OP WHEN 'INSERT' THEN 'created' ELSE 'updated' END, 'staff', NEW.id,
    jsonb_build_object('version', NEW.version, 'role', NEW.role, 'active', NEW.active));
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON staff FOR EACH ROW EXECUTE FUNCTION staff_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON staff FOR EACH ROW
  WHEN (NEW.version <> OLD.version) EXECUTE FUNCTION staff_events();
