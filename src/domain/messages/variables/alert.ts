import { CATALOGUE, isErrorCode } from '../../../kernel/errors.ts';
import { initialsOf } from '../../../kernel/initials.ts';
import { localMinute } from '../../../kernel/local-minute.ts';
import { isAlertCode } from '../../notifications/alert-codes.ts';
import { ALERT_WORDS, type AlertWords, OTHER_WORDS, UNSENT_WORDS } from '../../notifications/alert-words.ts';
import type { Facts } from '../delivery-facts.ts';
import { param, type Variable, variable } from './variable.ts';

/** What `catalogue/system-alert.ts` loads of the stay that an alert is about. */
const STAY_PARTS = ['stay', 'property', 'guest', 'arrival', 'departure'] as const;

/** The page of each subject that has one. */
const PAGES: Readonly<Record<string, string>> = {
  saga: 'sagas',
  approval: 'sagas',
  'undone-saga': 'sagas',
  'stuck-saga': 'sagas',
  refund: 'sagas',
  task: 'tasks',
  reservation: 'stays',
  message: 'messages',
};

function wordsOf(facts: Facts): AlertWords {
  if (param(facts, 'about') === 'message') return UNSENT_WORDS;
  const code = param(facts, 'code');
  return isAlertCode(code) ? ALERT_WORDS[code] : OTHER_WORDS;
}

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
  /** The whole name of a guest is nobody's business who runs the system. */
  alertStay: variable(
    'text',
    'Marina View 1204, guest J.D., 1 June 2027 to 4 June 2027 (reservation-1)',
    ({ own }, { day }) => {
      const [id, property, guest, arrival, departure] = STAY_PARTS.map((name) => own?.[name]);
      // Recurring work is of no stay.
      if (typeof id !== 'string') return typeof own?.['place'] === 'string' ? own['place'] : null;
      const days = typeof arrival === 'string' && typeof departure === 'string' ? [day(arrival), day(departure)] : [];
      return `${property}, guest ${initialsOf(String(guest))}, ${days.join(' to ')} (${id})`;
    },
    { optional: true },
  ),
  alertSince: variable('instant', '2027-06-01 09:12 (Asia/Dubai)', ({ orderedAt, own }) =>
    localMinute(orderedAt.toISOString(), typeof own?.['zone'] === 'string' ? own['zone'] : 'UTC'),
  ),
  alertWhat: variable('text', 'Nobody can take a task.', (facts) => wordsOf(facts).says),
  alertNext: variable('text', 'It is looked at again within the hour.', (facts) => wordsOf(facts).next),
  alertRemedy: variable('text', 'Give it to somebody on its page.', (facts) => wordsOf(facts).remedy),
  /** Of the page where it is mended: its own, else that of the stay that it concerns. */
  alertUrl: variable(
    'url',
    'https://roomy.example/console/sagas/saga-1',
    (facts, { publicUrl }) => {
      const [about, id] = [param(facts, 'about') ?? 'saga', param(facts, 'sagaId')];
      if (publicUrl === null) return null;
      const page = id === null ? undefined : PAGES[about];
      // What waits for an approval may be no saga.
      if (page === 'sagas' && id?.startsWith('saga-') !== true) return `${publicUrl}/console/incidents`;
      if (page !== undefined && id !== null) return `${publicUrl}/console/${page}/${encodeURIComponent(id)}`;
      const stay = facts.own?.['stay'];
      return `${publicUrl}/console/${typeof stay === 'string' ? `stays/${encodeURIComponent(stay)}` : 'incidents'}`;
    },
    { optional: true },
  ),
} as const satisfies Readonly<Record<string, Variable>>;
