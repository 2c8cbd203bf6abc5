-- What one request has started, what a code has stopped, and of each what was undone: looked for among all executions that ever ran.
CREATE INDEX saga_by_request ON saga (request_id, requested_at, id) INCLUDE (ended_as) WHERE request_id IS NOT NULL;
CREATE INDEX saga_by_error ON saga (error_code, requested_at, id) INCLUDE (ended_as) WHERE error_code IS NOT NULL;
CREATE INDEX saga_ended_by_error ON saga (error_code, ended_as, requested_at, id)
  WHERE error_code IS NOT NULL AND ended_as IS NOT NULL;
CREATE INDEX saga_undone_by_requester ON saga (requested_by, ended_as, requested_at, id) WHERE ended_as IN ('compensated', 'resolved');
