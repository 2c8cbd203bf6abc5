-- A mail of the mailbox keeps its own content; the frame around it, which is the same for all, is kept once. Mails without a
-- frame are whole.
CREATE TABLE mail_frame (
  id text PRIMARY KEY,
  html text NOT NULL
);
ALTER TABLE dev_mail ADD COLUMN frame text, ADD COLUMN locale text,
  ADD CONSTRAINT dev_mail_framed CHECK ((frame IS NULL) = (locale IS NULL));
