-- The keys by which fields are sealed, one for each person and one for the installation itself (src/db/data-keys.ts). Each stands here
-- wrapped by a key that is not in the database, so that changing that one writes this table alone, and so that removing a row makes
-- unreadable what it has sealed, in backups and in history too.
CREATE TABLE data_key (
  id text NOT NULL,
  subject text NOT NULL,
  wrapped bytea NOT NULL,
  wrapped_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT data_key_pkey PRIMARY KEY (id),
  CONSTRAINT data_key_subject_key UNIQUE (subject),
  CONSTRAINT data_key_id_check CHECK (id ~ '^[A-Za-z0-9_-]{1,32}$'),
  CONSTRAINT data_key_wrapped_check CHECK (octet_length(wrapped) = 60)
);
