-- By which the steps, messages and webhooks of a saga go on with the trace of the request that started it (W3C Trace Context). Null
-- while nothing is traced, which costs a row nothing.
ALTER TABLE saga ADD COLUMN traceparent text CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');
