-- What one request has started, and what a code has stopped: each is looked for among all executions that ever ran.
CREATE INDEX saga_by_request ON saga (request_id, requested_at, id) INCLUDE (ended_as) WHERE request_id IS NOT NULL;
CREATE INDEX saga_by_error ON saga (error_code, requested_at, id) INCLUDE (ended_as) WHERE error_code IS NOT NULL;
