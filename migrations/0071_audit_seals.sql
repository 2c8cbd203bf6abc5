-- What the audit trail was, signed once a minute by a key that is not in the database (src/domain/audit/seals). Every process that
-- keeps the watch has a copy outside; this is what they copy from.
CREATE TABLE audit_seal (
  no bigint NOT NULL,
  line text NOT NULL,
  CONSTRAINT audit_seal_pkey PRIMARY KEY (no),
  CONSTRAINT audit_seal_no_check CHECK (no > 0),
  CONSTRAINT audit_seal_line_check CHECK (length(line) <= 2000)
);
CREATE TRIGGER frozen BEFORE DELETE OR UPDATE OR TRUNCATE ON audit_seal FOR EACH STATEMENT EXECUTE FUNCTION forbid();
