import { createRoute } from '@hono/zod-openapi';
import { getProperty } from '../../domain/properties/resource.ts';
import { type Day as DayView, readDay } from '../../domain/stays/day.ts';
import { localDate } from '../../kernel/local-time.ts';
import { found } from '../answers.ts';
import type { AnyContext, Services } from '../context.ts';
import { isOperator, seesMoney } from '../masks.ts';
import { onlyTypeOf } from '../own-task.ts';
import { agentOf, holderOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { Day, DayQuery } from '../schemas/day.ts';
import { answer, one, refusals } from '../schemas/envelope.ts';
import { mayRead } from '../timeline.ts';

const day = createRoute({
  method: 'get',
  path: '/api/production/day',
  tags: ['Reservations'],
  summary: 'Get the arrivals, departures and stays of a day, by property and time',
  request: { query: DayQuery },
  responses: { 200: answer('The day', one(Day)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});

export function registerDay(register: Register, services: Services): void {
  const { db, clock, agencyTimeZone } = services;
  register(day, async (c) => {
    const { date, propertyId, properties, after } = c.req.valid('query');
    const now = clock.now();
    const seesAll = isOperator(c);
    const holder = seesAll ? null : holderOf(c);
    if (propertyId !== undefined) await getProperty(db, propertyId, holder);
    const view = await readDay(
      db,
      { date: date ?? localDate(now, agencyTimeZone), propertyId, holder, now, limit: properties, after },
      {
        agentId: agentOf(c),
        seesTasks: seesAll || mayRead(c, 'tasks'),
        onlyTaskType: onlyTypeOf(c),
        seesStaff: mayRead(c, 'staff'),
      },
    );
    return found(c, shownTo(c, view));
  });
}

/** Names are for whoever may read guests, the guest's id for whoever may read stays, amounts for whoever sees money. */
function shownTo(c: AnyContext, view: DayView): DayView {
  const [seesNames, seesGuests, seesAmounts] = [mayRead(c, 'guests'), mayRead(c, 'reservations'), seesMoney(c)];
  return {
    ...view,
    properties: view.properties.map((property) => ({
      ...property,
      stays: property.stays.map((stay) => ({
        ...stay,
        guestId: seesGuests ? stay.guestId : null,
        guestName: seesNames ? stay.guestName : null,
        balanceDue: seesAmounts ? stay.balanceDue : null,
      })),
    })),
  };
}
