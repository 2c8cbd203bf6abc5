-- People sign in: one account a person, sessions that can be listed and ended, links of mails that count once, passkeys, and
-- identities of other providers. Machines have keys. What proves somebody's identity is kept as a hash only.

CREATE TABLE account (
  id          text PRIMARY KEY,
  email       text NOT NULL,
  name        text NOT NULL,
  role        text NOT NULL CHECK (role IN ('ADMIN', 'AGENT', 'FINANCE', 'OPS', 'OWNER', 'CLEANER', 'MAINTENANCE_STAFF', 'GUEST')),
  -- The record that the person is in the books: by it rights on objects are decided. Office roles are their own.
  staff_id    text REFERENCES staff,
  owner_id    text REFERENCES owner,
  guest_id    text REFERENCES guest,
  -- What the account is called in audit rows, portfolios and tokens (`sub`): the linked record, or the account itself.
  principal   text NOT NULL GENERATED ALWAYS AS (coalesce(staff_id, owner_id, guest_id, id)) STORED,
  status      text NOT NULL DEFAULT 'INVITED' CHECK (status IN ('INVITED', 'ACTIVE', 'DEACTIVATED')),
  locale      text,
  -- Sealed by a key that is not in the database; null: no authenticator app.
  totp_secret text,
  -- The last time step that was taken: each counts once.
  totp_step   bigint,
  -- Wrong codes of the app since the last right one, in all sessions, and when the last of them was: with many, none counts for a while.
  wrong_codes integer NOT NULL DEFAULT 0,
  wrong_code_at timestamptz,
  invited_by  text,
  created_at  timestamptz NOT NULL DEFAULT now(),
  version     integer NOT NULL DEFAULT 1,
  CONSTRAINT account_links_by_role CHECK (CASE
    WHEN role IN ('AGENT', 'CLEANER', 'MAINTENANCE_STAFF') THEN staff_id IS NOT NULL AND owner_id IS NULL AND guest_id IS NULL
    WHEN role = 'OWNER' THEN owner_id IS NOT NULL AND staff_id IS NULL AND guest_id IS NULL
    WHEN role = 'GUEST' THEN guest_id IS NOT NULL AND staff_id IS NULL AND owner_id IS NULL
    ELSE staff_id IS NULL AND owner_id IS NULL AND guest_id IS NULL END)
);
CREATE UNIQUE INDEX account_by_email ON account (lower(email));
CREATE UNIQUE INDEX account_by_principal ON account (principal);
CREATE INDEX account_by_age ON account (created_at, id);
CREATE INDEX account_admins ON account (id) WHERE role = 'ADMIN' AND status = 'ACTIVE';

-- Every name that an account has or has had: what somebody did under an earlier one was done by the same person.
CREATE TABLE account_principal (
  principal  text NOT NULL,
  account_id text NOT NULL REFERENCES account,
  PRIMARY KEY (principal, account_id)
);
CREATE INDEX account_principal_by_account ON account_principal (account_id);
CREATE FUNCTION account_keeps_principal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO account_principal VALUES (NEW.principal, NEW.id), (NEW.id, NEW.id) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER keeps_principal AFTER INSERT OR UPDATE OF staff_id, owner_id, guest_id ON account
  FOR EACH ROW EXECUTE FUNCTION account_keeps_principal();

CREATE TABLE session (
  id           text PRIMARY KEY,
  account_id   text NOT NULL REFERENCES account,
  -- SHA-256 of the key in the cookie.
  key_hash     bytea NOT NULL UNIQUE,
  method       text NOT NULL CHECK (method IN ('LINK', 'PASSKEY', 'OIDC', 'DEMO')),
  -- When a second factor was last given; null: never in this session.
  mfa_at       timestamptz,
  -- Codes of a second factor that were wrong: with too many the session ends.
  wrong_codes  integer NOT NULL DEFAULT 0,
  ip           text,
  user_agent   text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  ended_at     timestamptz,
  ended_reason text CHECK (ended_reason IN ('SIGNED_OUT', 'SIGNED_OUT_EVERYWHERE', 'REVOKED', 'ROLE_CHANGED', 'DEACTIVATED'))
);
CREATE INDEX session_by_end ON session (expires_at);
CREATE INDEX session_live_by_account ON session (account_id, created_at) WHERE ended_at IS NULL;

-- Links, invitations and challenges: each opens once, and until its end.
CREATE TABLE one_time (
  hash        bytea PRIMARY KEY,
  kind        text NOT NULL CHECK (kind IN ('LINK', 'INVITATION', 'HAND_OVER', 'OIDC_STATE', 'PASSKEY_CHALLENGE')),
  account_id  text REFERENCES account,
  data        jsonb NOT NULL DEFAULT '{}',
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL,
  consumed_at timestamptz
);
CREATE INDEX one_time_by_account ON one_time (account_id, kind, created_at);
CREATE INDEX one_time_by_end ON one_time (expires_at);

CREATE TABLE identity (
  issuer     text NOT NULL,
  subject    text NOT NULL,
  account_id text NOT NULL REFERENCES account,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX identity_by_account ON identity (account_id);

CREATE TABLE passkey (
  -- The credential's id as the browser names it, base64url.
  id           text PRIMARY KEY,
  account_id   text NOT NULL REFERENCES account,
  public_key   bytea NOT NULL,
  counter      bigint NOT NULL DEFAULT 0,
  transports   text[] NOT NULL DEFAULT '{}',
  name         text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz
);
CREATE INDEX passkey_by_account ON passkey (account_id);

CREATE TABLE api_key (
  id           text PRIMARY KEY,
  name         text NOT NULL,
  -- SHA-256 of the key; the first characters are shown, so that people tell keys apart.
  key_hash     bytea NOT NULL UNIQUE,
  prefix       text NOT NULL,
  scopes       text[] NOT NULL,
  created_by   text NOT NULL,
  -- Those who replaced the key, and were shown the new one.
  rotated_by   text[] NOT NULL DEFAULT '{}',
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  last_used_at timestamptz,
  revoked_at   timestamptz,
  version      integer NOT NULL DEFAULT 1
);
CREATE INDEX api_key_by_age ON api_key (created_at, id);
