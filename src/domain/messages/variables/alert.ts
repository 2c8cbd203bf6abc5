import { CATALOGUE, isErrorCode } from '../../../kernel/errors.ts';
import { param, type Variable, variable } from './variable.ts';

/** The parameters in the row of an alert, about the thing that needs a person. */

export const ALERT = {
  sagaName: variable('code', 'confirmReservation', (facts) => param(facts, 'sagaName')),
  step: variable('code', 'updateReservationStatus', (facts) => param(facts, 'step')),
  code: variable('code', 'STEP_FAILED', (facts) => param(facts, 'code')),
  /** The code in words, as its refusal says it. */
  why: variable('text', 'The charge was declined', (facts) => {
    const code = param(facts, 'code');
    return code !== null && isErrorCode(code) ? CATALOGUE[code].text : code;
  }),
  sagaId: variable('id', 'saga-1', (facts) => param(facts, 'sagaId')),
} as const satisfies Readonly<Record<string, Variable>>;
