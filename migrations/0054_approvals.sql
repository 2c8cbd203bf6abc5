-- What a second person must say yes to before money moves. Approving is an act of its own: no retry of a saga counts as one.

-- The limits of the agency: versions are added and never changed, so that a saga reads those of when it was asked for.
CREATE TABLE approval_limit (
  version integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  -- Minor units by currency. What is over `override_minor` is more than one person may decide, over `charge_minor` more than one
  -- may charge an owner. A currency that is not named has the limit 0.
  override_minor jsonb NOT NULL,
  charge_minor jsonb NOT NULL,
  -- How much a role may approve: minor units by currency; null: any amount. A role that is not named approves nothing.
  roles jsonb NOT NULL,
  over_estimate_percent integer NOT NULL CHECK (over_estimate_percent BETWEEN 0 AND 100),
  expires_hours integer NOT NULL CHECK (expires_hours BETWEEN 1 AND 720),
  account_wait_hours integer NOT NULL CHECK (account_wait_hours BETWEEN 1 AND 720),
  set_by text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER frozen BEFORE UPDATE ON approval_limit FOR EACH STATEMENT EXECUTE FUNCTION forbid();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON approval_limit FOR EACH STATEMENT EXECUTE FUNCTION forbid();

CREATE TABLE approval (
  id text PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('PAYMENT_REVIEW', 'REFUND_OVERRIDE', 'GOODWILL', 'OWNER_CHARGE', 'PAYOUT_ACCOUNT')),
  subject_type text NOT NULL CHECK (subject_type IN ('saga', 'task', 'owner')),
  subject_id text NOT NULL,
  saga_id text REFERENCES saga,
  reservation_id text,
  property_id text,
  owner_id text,
  -- What is asked, as it is decided about and, for a charge, as it is booked.
  asked text NOT NULL CHECK (length(asked) BETWEEN 1 AND 1000),
  -- Null: the question is not about an amount.
  amount_minor bigint CHECK (amount_minor > 0),
  currency text CHECK (currency ~ '^[A-Z]{3}$'),
  asked_by text NOT NULL,
  -- Who else may not decide: those who did the work that is charged.
  barred text[] NOT NULL DEFAULT '{}',
  asked_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  status text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'APPROVED', 'DECLINED', 'EXPIRED', 'WITHDRAWN')),
  decided_by text,
  decided_at timestamptz,
  reason text,
  version integer NOT NULL DEFAULT 1,
  CONSTRAINT approval_of_money CHECK ((amount_minor IS NULL) = (currency IS NULL)),
  CONSTRAINT approval_of_saga CHECK ((subject_type = 'saga') = (saga_id IS NOT NULL)),
  CONSTRAINT approval_is_decided CHECK ((status = 'PENDING') = (decided_at IS NULL)),
  CONSTRAINT approval_by_person CHECK (status NOT IN ('APPROVED', 'DECLINED') OR decided_by IS NOT NULL),
  CONSTRAINT approval_by_another CHECK (decided_by IS NULL OR status NOT IN ('APPROVED', 'DECLINED')
    OR (decided_by <> asked_by AND NOT decided_by = ANY (barred)))
);
-- One open question a subject.
CREATE UNIQUE INDEX one_open_approval ON approval (subject_type, subject_id, kind) WHERE status = 'PENDING';
CREATE INDEX approval_by_subject ON approval (subject_id, kind);
CREATE INDEX approval_by_saga ON approval (saga_id) WHERE saga_id IS NOT NULL;
CREATE INDEX approval_by_reservation ON approval (reservation_id) WHERE reservation_id IS NOT NULL;
CREATE INDEX approval_by_age ON approval (asked_at, id);
CREATE INDEX approval_by_status ON approval (status, asked_at, id);
CREATE INDEX approval_ending ON approval (expires_at) WHERE status = 'PENDING';

-- A question is decided once, and what was asked never changes.
CREATE FUNCTION approval_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status <> 'PENDING' THEN
    RAISE EXCEPTION 'approval % is decided', OLD.id USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER approval_guard BEFORE UPDATE ON approval FOR EACH ROW EXECUTE FUNCTION approval_guard();
CREATE TRIGGER frozen BEFORE UPDATE OF id, kind, subject_type, subject_id, saga_id, reservation_id, property_id, owner_id, asked,
  amount_minor, currency, asked_by, barred, asked_at, expires_at ON approval FOR EACH STATEMENT EXECUTE FUNCTION forbid();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON approval FOR EACH STATEMENT EXECUTE FUNCTION forbid();

-- Payouts to an account that was changed wait until then; null: nothing is waited for.
ALTER TABLE owner ADD COLUMN payout_account_from timestamptz,
  -- The account that was in force before the one that waits: it is put back if that one is refused.
  ADD COLUMN payout_account_before text,
  -- The address before the latest changes of it, and when it was last changed: news of the account goes there.
  ADD COLUMN email_before text,
  ADD COLUMN email_changed_at timestamptz;

-- What an owner is asked about a repair, beside who is asked: a yes is for this, and for nothing else. `title` null: asked before it
-- was kept, and the text was changed by now, so that nobody knows to what the owner said yes.
ALTER TABLE repair_approval ADD COLUMN property_id text REFERENCES property, ADD COLUMN title text, ADD COLUMN description text,
  ADD COLUMN estimate_minor bigint, ADD COLUMN estimate_currency text;
UPDATE repair_approval a SET property_id = t.property_id, description = t.description, estimate_minor = t.estimate_minor,
    estimate_currency = t.estimate_currency,
    title = CASE WHEN a.decided_at IS NULL OR NOT t.manual_fields && '{title,description}' THEN t.title END
  FROM task t WHERE t.id = a.task_id;
ALTER TABLE repair_approval ALTER COLUMN property_id SET NOT NULL,
  ADD CONSTRAINT repair_is_named CHECK (title IS NOT NULL OR decided_at IS NOT NULL);

-- Something else is asked only anew: by another link, and without the answer of before.
CREATE FUNCTION repair_question_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.decided_at IS NOT NULL OR NEW.token = OLD.token THEN
    RAISE EXCEPTION 'the owner was asked something else about task %', OLD.task_id USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER repair_question_guard BEFORE UPDATE OF owner_id, property_id, title, description, estimate_minor, estimate_currency
  ON repair_approval FOR EACH ROW EXECUTE FUNCTION repair_question_guard();

-- Sagas that wait for a person already ask for an approval from now on: their amounts are not known here, so that a yes lets them
-- look again, and ask with the amount.
INSERT INTO approval (id, kind, subject_type, subject_id, saga_id, reservation_id, asked, asked_by, expires_at)
SELECT 'approval-' || s.id, CASE s.name WHEN 'processPayment' THEN 'PAYMENT_REVIEW' WHEN 'refundReservation' THEN 'GOODWILL' ELSE 'REFUND_OVERRIDE' END,
  'saga', s.id, s.id, s.subject_id, s.name || ' of ' || s.subject_id || ' waits for a second person', s.requested_by, now() + interval '7 days'
  FROM saga s WHERE s.status = 'parked' AND s.error_code = 'APPROVAL_REQUIRED';
