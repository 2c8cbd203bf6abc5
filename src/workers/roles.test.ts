import { describe, expect, it } from 'vitest';
import { QUEUE_NAMES } from '../queues/names.ts';
import { BACKGROUND_ROLES, ROLE_QUEUES, WORKER_ROLES, workerName, workOfRoles } from './roles.ts';

const WORK = QUEUE_NAMES.map((queue) => ({ queue }));

describe('the roles of workers', () => {
  it('have every queue once', () => {
    expect(WORKER_ROLES.flatMap((role) => ROLE_QUEUES[role]).toSorted()).toEqual(QUEUE_NAMES.toSorted());
    expect(WORKER_ROLES.toSorted()).toEqual(Object.keys(ROLE_QUEUES).toSorted());
    expect(workOfRoles(WORK, WORKER_ROLES)).toEqual(WORK);
  });

  it('leave out what another worker serves', () => {
    const served = (roles: typeof WORKER_ROLES) => workOfRoles(WORK, roles).map(({ queue }) => queue);
    expect(served(['sagas'])).toEqual(['saga-forward', 'saga-compensation']);
    expect(served(['tasks', 'recurring'])).toEqual(['tasks', 'recurring']);
    expect([...served(['sagas']), ...served(BACKGROUND_ROLES)]).toEqual([...QUEUE_NAMES]);
  });

  it('are in the name of the connections, which Postgres does not cut', () => {
    expect(workerName(WORKER_ROLES)).toBe('roomy-worker');
    expect(workerName(['sagas'])).toBe('roomy-worker:sagas');
    const longest = WORKER_ROLES.map((left) => workerName(WORKER_ROLES.filter((role) => role !== left)));
    for (const name of longest) expect(name.length).toBeLessThanOrEqual(63);
  });
});
