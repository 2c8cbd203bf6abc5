-- Tasks of the office: money that a person must see to, because no program can (domain.md 9). A cleaning is never
-- merged into one that is cancelled at the same moment: it would not be done at all. And money that comes in for a
-- stay that was called off is the guest's.

ALTER TABLE task DROP CONSTRAINT task_type_check, ADD CONSTRAINT task_type_check
  CHECK (type IN ('CLEANING','CHECK_IN','CHECK_OUT','INSPECTION','MAINTENANCE','EMERGENCY','FINANCE'));

-- At the commit, under a lock that a cancellation needs as well: one of the two sees the other. The code asks for a retry.
CREATE FUNCTION task_merged_into_live() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  target text;
BEGIN
  SELECT t.status INTO target FROM task t WHERE t.id = NEW.merged_into_task_id FOR SHARE;
  IF target = 'CANCELLED' AND EXISTS (SELECT FROM task m WHERE m.id = NEW.id AND m.merged_into_task_id = NEW.merged_into_task_id) THEN
    RAISE EXCEPTION 'task % is merged into %, which is cancelled', NEW.id, NEW.merged_into_task_id USING ERRCODE = '40001';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER task_merged_into_live AFTER INSERT OR UPDATE OF merged_into_task_id ON task
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.merged_into_task_id IS NOT NULL) EXECUTE FUNCTION task_merged_into_live();

-- What nobody owed and has not gone back is the guest's credit, also of a stay that was called off (domain.md 7).
CREATE OR REPLACE FUNCTION payment_status_of(of_reservation text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN p.captured = 0 THEN 'UNPAID'
              WHEN p.refunded >= p.captured THEN 'REFUNDED'
              WHEN p.credit > 0 THEN 'OVERPAID'
              WHEN p.refunded > 0 THEN 'PARTIALLY_REFUNDED'
              WHEN p.captured >= r.total_minor THEN 'PAID'
              ELSE 'PARTIALLY_PAID' END
    FROM reservation r, (SELECT coalesce(sum(amount_minor), 0) AS captured, coalesce(sum(refunded_minor), 0) AS refunded,
                                coalesce(sum(greatest(0, excess_minor - refunded_minor)), 0) AS credit
                           FROM payment WHERE reservation_id = of_reservation AND status = 'COMPLETED') p
   WHERE r.id = of_reservation $$;
