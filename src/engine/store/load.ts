import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { compiledOnce } from '../../db/compiled-once.ts';
import { isUnreachable } from '../../db/errors.ts';
import { literals } from '../../db/literal.ts';
import type { Json } from '../../db/schema.ts';
import { createBatcher } from '../../kernel/batcher.ts';
import type { Hold, SagaState } from '../state.ts';

export type LoadState = (sagaId: string) => Promise<SagaState | null>;

const selectStates = compiledOnce((db, ids: RawBuilder<readonly string[]>) =>
  db
    .selectFrom('saga as s')
    .select((eb) => [
      's.id',
      's.name',
      's.definition_ver as definitionVersion',
      's.subject_type as subjectType',
      's.subject_id as subjectId',
      's.input',
      's.requested_at as requestedAt',
      's.requested_by as requestedBy',
      's.on_behalf_of as onBehalfOf',
      's.request_id as requestId',
      's.traceparent',
      's.status',
      's.current_step as currentStep',
      's.total_steps as totalSteps',
      's.generation',
      's.error_code as errorCode',
      's.error_detail as errorDetail',
      eb
        .selectFrom('saga_step as t')
        .select(sql<Readonly<Record<string, unknown>> | null>`jsonb_object_agg(t.name, t.result)`.as('done'))
        .whereRef('t.saga_id', '=', 's.id')
        .where('t.direction', '=', 'F')
        .where('t.status', 'in', literals(['done', 'skipped']))
        .as('done'),
      // Of few sagas there is one: a look by the key of each.
      sql<
        readonly Readonly<Record<string, Json>>[] | null
      >`(SELECT jsonb_agg(a.fields ORDER BY a.no) FROM saga_amendment a WHERE a.saga_id = s.id)`.as('amended'),
      // One look a statement, into an index that is empty most of the time.
      sql<
        readonly Hold[] | null
      >`(SELECT jsonb_agg(jsonb_build_object('scope', h.scope, 'subject', h.subject)) FROM hold h WHERE h.released_at IS NULL)`.as(
        'holds',
      ),
    ])
    .where(sql<boolean>`s.id = ANY(${ids}::text[])`)
    .compile(),
);

/** Loads of several sagas that are asked for at once travel in one query. */
export function createStateLoader(db: Db): LoadState {
  return createBatcher<string, SagaState | null>(
    async (ids) => {
      const rows = await selectStates(db, [...new Set(ids)]);
      const byId = new Map(
        rows.map(({ amended, ...row }) => [
          row.id,
          {
            ...row,
            input: Object.assign({}, row.input, ...(amended ?? [])),
            amendments: amended?.length ?? 0,
            done: row.done ?? {},
            holds: row.holds ?? [],
          },
        ]),
      );
      return ids.map((id) => byId.get(id) ?? null);
    },
    { maxBatch: 64, maxInFlight: 2, failTogether: isUnreachable },
  );
}
