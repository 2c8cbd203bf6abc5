import { describe, expect, it } from 'vitest';
import { mayBe, statusesFor, TASK_ACTIONS, TASK_TRANSITIONS } from './transitions.ts';

describe('the transitions of a task', () => {
  it('name for every action where it begins', () => {
    for (const action of TASK_ACTIONS) expect(statusesFor(action), action).not.toEqual([]);
  });

  it('lead out of every status, and into every one but the first', () => {
    const statuses = Object.keys(TASK_TRANSITIONS);
    const reached = new Set(Object.values(TASK_TRANSITIONS).flatMap((actions) => Object.values(actions).flat()));
    expect([...reached].toSorted()).toEqual(statuses.toSorted());
    for (const [status, actions] of Object.entries(TASK_TRANSITIONS)) {
      expect(
        Object.values(actions)
          .flat()
          .some((target) => target !== status),
        status,
      ).toBe(true);
    }
  });

  it('leave what is done, or called off, to nobody but the office', () => {
    expect(Object.keys(TASK_TRANSITIONS.COMPLETED)).toEqual(['repeat']);
    expect(Object.keys(TASK_TRANSITIONS.CANCELLED)).toEqual(['reopen', 'repeat']);
  });

  it('take nothing from who is at work', () => {
    expect(Object.keys(TASK_TRANSITIONS.IN_PROGRESS)).toEqual(['complete', 'withdraw']);
    expect(mayBe('IN_PROGRESS', 'release')).toBe(false);
    expect(statusesFor('release')).toEqual(['ASSIGNED']);
  });
});
