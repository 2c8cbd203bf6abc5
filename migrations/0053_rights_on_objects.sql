-- Rights on objects. Who added a guest may book the guest although there is no stay yet; a device belongs to one property.

-- The principal who added the guest; null: from before it was kept, or from an import. The audit trail knows the others.
ALTER TABLE guest ADD COLUMN created_by text;
UPDATE guest g SET created_by = a.actor FROM audit_log a WHERE a.stream_id = 'guest:' || g.id AND a.event = 'GUEST_CREATED';
CREATE INDEX guest_by_creator ON guest (created_by, created_at, id);

-- Whether a subject of sagas is of the guest or of the agent that the scope names; of any other scope, and of any other kind of
-- subject, it is nobody's. Volatile, so that it sees what was committed while the calling statement waited for the subject's lock.
CREATE FUNCTION is_subject_of(subject_type text, subject_id text, scope jsonb) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN subject_type = 'reservation' AND scope ?| ARRAY['guestId', 'agentId'] AND EXISTS (
    SELECT FROM reservation r JOIN property p ON p.id = r.property_id
     WHERE r.id = subject_id AND (NOT scope ? 'guestId' OR r.guest_id = scope ->> 'guestId')
       AND (NOT scope ? 'agentId' OR scope ->> 'agentId' = ANY(p.agent_ids)));
END $$;

-- A guest without a stay is no longer everybody's, so there is no place for them any more.
DROP TRIGGER place ON guest;
DROP FUNCTION guest_without_stay();
CREATE OR REPLACE FUNCTION guest_places() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.guest_id IS NOT NULL THEN
    DELETE FROM guest_place p WHERE p.guest_id = OLD.guest_id AND p.property_id = OLD.property_id
      AND NOT EXISTS (SELECT FROM reservation r WHERE r.guest_id = OLD.guest_id AND r.property_id = OLD.property_id);
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.guest_id IS NOT NULL THEN
    INSERT INTO guest_place SELECT NEW.property_id, g.created_at, g.id FROM guest g WHERE g.id = NEW.guest_id ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
DELETE FROM guest_place WHERE property_id = '';

-- What waits for an owner's answer, and what an owner has said: few tasks are asked about.
CREATE INDEX task_asked_about ON task (approval, created_at, id) WHERE approval IS NOT NULL;
CREATE INDEX task_of_property_asked_about ON task (property_id, approval, created_at, id) WHERE approval IS NOT NULL;

-- Two properties that had one device before keep it, all but the first by this mark: taking it from one of them by itself would
-- leave its guests outside. Nobody is given a device any more that another property has.
ALTER TABLE property ADD COLUMN shares_device boolean NOT NULL DEFAULT false;
UPDATE property p SET shares_device = true WHERE p.amenity_device IS NOT NULL
   AND EXISTS (SELECT FROM property x WHERE x.amenity_device = p.amenity_device AND (x.created_at, x.id) < (p.created_at, p.id));
CREATE UNIQUE INDEX one_property_of_device ON property (amenity_device) WHERE NOT shares_device;
