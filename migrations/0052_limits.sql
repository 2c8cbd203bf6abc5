-- What one caller has open is counted when it asks for more: without history, by an index of what is open.
CREATE INDEX saga_open_by_requester ON saga (requested_by) WHERE finished_at IS NULL;

-- What a requester has open, counted no further than `most`. One acceptance of a requester at a time, in all processes, until it is
-- committed; a volatile function reads what there is after its lock.
CREATE FUNCTION open_sagas_of(requester text, most int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('open sagas of ' || requester, 0));
  RETURN (SELECT count(*) FROM (SELECT FROM saga WHERE requested_by = requester AND finished_at IS NULL LIMIT most) AS few);
END $$;

-- With one a browser opens a stream of events, once and within a minute: no token stands in an address.
CREATE TABLE stream_ticket (
  -- SHA-256 of the ticket.
  hash       bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
  -- Who asked for it, with the rights of that moment.
  caller     jsonb NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX stream_ticket_by_end ON stream_ticket (expires_at);
