-- The bytes of the 202 that says that a saga is parked: written when it first parks, the same on every repeat (guarantees.md 2.6).

ALTER TABLE saga ADD COLUMN parked_body bytea;

UPDATE saga SET parked_body = convert_to(json_build_object('success', true, 'data', json_build_object(
    'sagaExecutionId', id, 'status', 'parked', 'links', json_build_object('self', '/api/production/sagas/executions/' || id),
    'waitsFor', json_build_object('step', coalesce(error_detail ->> 'failedStep', ''), 'direction',
      CASE WHEN EXISTS (SELECT FROM saga_step t WHERE t.saga_id = saga.id AND t.direction = 'C') THEN 'compensation' ELSE 'forward' END,
      'code', coalesce(error_code, 'STEP_FAILED'), 'message', coalesce(error_detail ->> 'text', 'The step failed'))),
    'message', 'Accepted; waits for a person')::text, 'UTF8')
 WHERE status = 'parked';
