-- Indexes of long lists end at the moment: who reads them sorts the few rows of one moment by their id. The ids, which are the longest
-- part of a row's place in such an index, were a twelfth of what a confirmed stay writes. Indexes of a property's rows keep them: an
-- agent's list merges those of many properties, and reads the ids from there alone.

DROP INDEX notification_by_age;
CREATE INDEX notification_by_age ON notification (created_at);
DROP INDEX notification_by_event;
CREATE INDEX notification_by_event ON notification (event, created_at);
DROP INDEX notification_of_recipient;
CREATE INDEX notification_of_recipient ON notification (recipient_id, created_at);
DROP INDEX reservation_by_age;
CREATE INDEX reservation_by_age ON reservation (created_at);
DROP INDEX reservation_by_status;
CREATE INDEX reservation_by_status ON reservation (status, created_at);
DROP INDEX reservation_of_guest;
CREATE INDEX reservation_of_guest ON reservation (guest_id, created_at);
DROP INDEX saga_by_age;
CREATE INDEX saga_by_age ON saga (requested_at);
DROP INDEX saga_by_name;
CREATE INDEX saga_by_name ON saga (name, requested_at);
DROP INDEX saga_by_requester;
CREATE INDEX saga_by_requester ON saga (requested_by, requested_at);
DROP INDEX task_by_age;
CREATE INDEX task_by_age ON task (created_at);
DROP INDEX task_by_assignee;
CREATE INDEX task_by_assignee ON task (assignee_id, COALESCE(slot_start, scheduled_at)) WHERE assignee_id IS NOT NULL;
DROP INDEX task_by_status;
CREATE INDEX task_by_status ON task (status, created_at);
DROP INDEX task_of_assignee;
CREATE INDEX task_of_assignee ON task (assignee_id, created_at) WHERE assignee_id IS NOT NULL;
DROP INDEX task_to_do;
CREATE INDEX task_to_do ON task (assignee_id, COALESCE(slot_start, scheduled_at)) WHERE assignee_id IS NOT NULL AND deleted_at IS NULL AND (status <> ALL (ARRAY['CANCELLED', 'MERGED']));
DROP INDEX transaction_by_age;
CREATE INDEX transaction_by_age ON transaction (created_at);
DROP INDEX transaction_by_type;
CREATE INDEX transaction_by_type ON transaction (type, created_at);
DROP INDEX transaction_of_owner;
CREATE INDEX transaction_of_owner ON transaction (owner_id, created_at) WHERE owner_id IS NOT NULL;
