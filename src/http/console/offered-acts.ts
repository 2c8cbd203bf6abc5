import { html } from 'hono/html';
import { ACT_WORDS, STAY_ACTS, type StayAct } from '../../web/console/acts.ts';
import { type Frame, say } from '../../web/console/frame.ts';
import type { Html } from '../../web/layout.ts';
import type { ConsoleApi } from './client.ts';

/** Which acts on a stay a person is offered, and what is said when one is done. */

const isAct = (name: string | undefined): name is StayAct => STAY_ACTS.some((act) => act === name);

/** By the rights of the person; whether the stay allows it is the API's to say. */
export const mayAct =
  (api: ConsoleApi) =>
  (act: StayAct): boolean =>
    api.may('POST', `/reservations/:id/${act}`);

/** What the last act did, by the name that the address has. */
export const toldOf = (frame: Frame, told: string | undefined): Html | null =>
  told === 'assign' ? html`${say(frame, 'assigned')}` : toldOfAct(frame, told);
const toldOfAct = (frame: Frame, told: string | undefined): Html | null =>
  isAct(told) ? html`${say(frame, ACT_WORDS[told])}: ${say(frame, 'done')}` : null;
