import { createRoute } from '@hono/zod-openapi';
import { ACT_FIELDS, ACT_WORDS, actAddress, STAY_ACTS, type StayAct, sureForm } from '../../web/console/acts.ts';
import { planPage } from '../../web/console/plan-page.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import type { Register } from '../route.ts';
import { CalendarDate, IdParam } from '../schemas/common.ts';
import { SagaPlan } from '../schemas/rehearsals.ts';
import { answerConsole, type Console, keyIn, problemOf, type Visit } from './frame.ts';
import { mayAct } from './offered-acts.ts';
import { headOf, mayReadStay, showStay } from './stay.ts';
import { showDay } from './today.ts';

/** What people do with a stay by a form: each is the request of the API, with its rights, its saga and its trail. */

const act = <const Name extends StayAct>(name: Name) =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `/console/stays/{id}/${name}`, request: { params: IdParam } });

/** Fields that were left empty are not sent, but for a reason, which the API does not ask of every cancellation. */
function inputIn(name: StayAct, form: URLSearchParams): Readonly<Record<string, string>> {
  const fields = ACT_FIELDS[name].map((field) => [field, form.get(field)?.trim() ?? ''] as const);
  return Object.fromEntries(fields.filter(([field, value]) => value !== '' || field === 'reason'));
}

export function registerStayActs(register: Register, services: Services, console: Console): void {
  for (const name of STAY_ACTS) {
    register.unkeyed(act(name), (c) =>
      console.submit(
        c,
        (api) => mayReadStay(api) && mayAct(api)(name),
        (visit, form) => {
          const asked = { id: c.req.valid('param').id, name, form };
          return form.get('plan') === 'first' ? plan(c, services, visit, asked) : perform(c, services, visit, asked);
        },
      ),
    );
  }
}

interface Asked {
  readonly id: string;
  readonly name: StayAct;
  readonly form: URLSearchParams;
}

/** What it would do, with the button that does it. */
async function plan(c: AnyContext, services: Services, visit: Visit, { id, name, form }: Asked): Promise<Response> {
  const { api, frame } = visit;
  const input = inputIn(name, form);
  try {
    const at = encodeURIComponent(id);
    const planned = await api.rehearse(`/reservations/${at}/${name}`, input, SagaPlan);
    const { place, guest } = await headOf(api, id);
    const there = place === null ? frame : { ...frame, timeZone: place.timeZone };
    const about = [guest?.name, place?.name].filter((text) => text !== undefined).join(', ');
    const act = ACT_WORDS[name];
    const sure = sureForm(there, { action: actAddress(there, id, name), word: act, input });
    const back = `/console/stays/${at}`;
    return await answerConsole(
      c,
      there,
      planPage(there, { act, about: about || id, input, plan: planned, sure, back }),
    );
  } catch (error) {
    return showStay(c, services, visit, { id, problem: problemOf(frame, error) });
  }
}

/** Back to where the button was, with what became of it; to the saga, where it has not ended yet. */
async function perform(c: AnyContext, services: Services, visit: Visit, { id, name, form }: Asked): Promise<Response> {
  const date = CalendarDate.safeParse(form.get('date')).data;
  const at = encodeURIComponent(id);
  try {
    const { status, sagaId } = await visit.api.act(`/reservations/${at}/${name}`, inputIn(name, form), keyIn(form));
    if (status === 202 && sagaId !== null) return c.redirect(`/console/sagas/${encodeURIComponent(sagaId)}`, 303);
  } catch (error) {
    const problem = problemOf(visit.frame, error);
    return date === undefined
      ? showStay(c, services, visit, { id, problem })
      : showDay(c, services, visit, { date, problem });
  }
  const back = date === undefined ? `/console/stays/${at}?told=${name}` : `/console/today?date=${date}&told=${name}`;
  return c.redirect(back, 303);
}
