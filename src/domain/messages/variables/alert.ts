import { param, type Variable, variable } from './variable.ts';

/** The parameters in the row of an alert, about the thing that needs a person. */

export const ALERT = {
  sagaName: variable('code', 'confirmReservation', (facts) => param(facts, 'sagaName')),
  step: variable('code', 'updateReservationStatus', (facts) => param(facts, 'step')),
  code: variable('code', 'STEP_FAILED', (facts) => param(facts, 'code')),
  sagaId: variable('id', 'saga-1', (facts) => param(facts, 'sagaId')),
} as const satisfies Readonly<Record<string, Variable>>;
