import type { DueStep } from './state.ts';

/** What people have paused (`hold`), as far as it concerns a step that is due. */
export interface Hold {
  readonly scope: 'ALL' | 'NAME' | 'STEP' | 'GATEWAY' | 'SAGA';
  /** Of the scope: `ALL`, a saga's name, `name.step`, a gateway's id, a saga's id. */
  readonly subject: string;
}

/** Whether the step may not be started. A saga that is being undone is held as well: its undoing waits. Pure. */
export function holdOf(holds: readonly Hold[], { state, step }: Pick<DueStep, 'state' | 'step'>): Hold | undefined {
  return holds.find(({ scope, subject }) => {
    switch (scope) {
      case 'ALL':
        return true;
      case 'NAME':
        return subject === state.name;
      case 'STEP':
        return subject === `${state.name}.${step.name}`;
      case 'SAGA':
        return subject === state.id;
      case 'GATEWAY':
        return step.kind === 'call' && subject === state.input['gatewayId'];
    }
  });
}
