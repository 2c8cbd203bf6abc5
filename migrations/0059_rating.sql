-- What a guest thinks of a stay that is over: one rating a stay.
CREATE TABLE rating (
  reservation_id text PRIMARY KEY REFERENCES reservation(id),
  score smallint NOT NULL CHECK (score BETWEEN 1 AND 5),
  comment text CHECK (length(comment) BETWEEN 1 AND 1000),
  -- Who entered it: the guest, or somebody of the office who was told.
  given_by text NOT NULL,
  given_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON rating FOR EACH STATEMENT EXECUTE FUNCTION forbid();
-- Reports of stays by when the guest left.
CREATE INDEX reservation_by_leaving ON reservation (actual_check_out_at) WHERE actual_check_out_at IS NOT NULL;
