import { createRoute } from '@hono/zod-openapi';
import { STAY_ACTS, type StayAct } from '../../web/console/acts.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import type { Register } from '../route.ts';
import { CalendarDate, IdParam } from '../schemas/common.ts';
import { type Console, keyIn, problemOf, type Visit } from './frame.ts';
import { mayAct } from './offered-acts.ts';
import { mayReadStay, showStay } from './stay.ts';
import { showDay } from './today.ts';

/** What people do with a stay by a form: each is the request of the API, with its rights, its saga and its trail. */

const act = <const Name extends StayAct>(name: Name) =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `/console/stays/{id}/${name}`, request: { params: IdParam } });

const bodyOf = (name: StayAct, form: URLSearchParams): object =>
  name === 'cancel' ? { reason: form.get('reason')?.trim() ?? '' } : {};

export function registerStayActs(register: Register, services: Services, console: Console): void {
  for (const name of STAY_ACTS) {
    register.unkeyed(act(name), (c) =>
      console.submit(
        c,
        (api) => mayReadStay(api) && mayAct(api)(name),
        (visit, form) => perform(c, services, visit, { id: c.req.valid('param').id, name, form }),
      ),
    );
  }
}

interface Asked {
  readonly id: string;
  readonly name: StayAct;
  readonly form: URLSearchParams;
}

/** Back to where the button was, with what became of it; to the saga, where it has not ended yet. */
async function perform(c: AnyContext, services: Services, visit: Visit, { id, name, form }: Asked): Promise<Response> {
  const date = CalendarDate.safeParse(form.get('date')).data;
  const at = encodeURIComponent(id);
  try {
    const { status, sagaId } = await visit.api.act(`/reservations/${at}/${name}`, bodyOf(name, form), keyIn(form));
    if (status === 202 && sagaId !== null) return c.redirect(`/console/sagas/${encodeURIComponent(sagaId)}`, 303);
  } catch (error) {
    const problem = problemOf(visit.frame, error);
    return date === undefined ? showStay(c, visit, { id, problem }) : showDay(c, services, visit, { date, problem });
  }
  const back = date === undefined ? `/console/stays/${at}?told=${name}` : `/console/today?date=${date}&told=${name}`;
  return c.redirect(back, 303);
}
