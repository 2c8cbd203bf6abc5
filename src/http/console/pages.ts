import { createRoute } from '@hono/zod-openapi';
import { setCookie } from 'hono/cookie';
import { RoomyError } from '../../kernel/errors.ts';
import { formOf, PAGE_ROUTE } from '../accounts/form.ts';
import { assertFromOwnPage, landingOf } from '../accounts/page-session.ts';
import type { App, Services } from '../context.ts';
import type { Register } from '../route.ts';
import { registerDevelopers } from './developers.ts';
import { registerFind } from './find.ts';
import { createConsole, isLanguage, LANGUAGE_COOKIE, pagesOf } from './frame.ts';
import { registerIncidentPages } from './incidents.ts';
import { registerLive } from './live.ts';
import { registerMessagePages } from './messages.ts';
import { registerMetrics } from './metrics.ts';
import { registerSagaPages } from './sagas.ts';
import { registerStaffPages } from './staff.ts';
import { registerStay } from './stay.ts';
import { registerStayActs } from './stay-acts.ts';
import { registerSystem } from './system.ts';
import { registerTaskPages } from './tasks.ts';
import { registerTextPages } from './texts.ts';
import { registerToday } from './today.ts';

/** All pages of the console. */

const home = createRoute({ ...PAGE_ROUTE, method: 'get', path: '/console' });
const language = createRoute({ ...PAGE_ROUTE, method: 'post', path: '/console/language' });

const YEAR_SECONDS = 365 * 24 * 3_600;
/** A page of the console, and no other address. */
const OWN_PATH = /^\/console(?:\/[A-Za-z0-9._~%/-]*)?(?:\?[A-Za-z0-9._~%&=+-]*)?$/;

export function registerConsole(register: Register, app: App, services: Services): void {
  const console = createConsole(app, services);
  register(home, (c) =>
    console.visit(
      c,
      () => true,
      async ({ session, api }) => {
        const [first] = pagesOf(api);
        if (first === undefined) return c.redirect(landingOf(session.account), 303);
        // What is wrong with money waits there for an answer.
        return c.redirect(`/console/${session.account.role === 'FINANCE' ? 'incidents' : first}`, 303);
      },
    ),
  );
  register.unkeyed(language, async (c) => {
    assertFromOwnPage(c, services);
    const form = await formOf(c);
    const wanted = form.get('language');
    if (!isLanguage(wanted)) throw new RoomyError('VALIDATION_FAILED', { text: 'There is no such language here' });
    const secure = services.isProduction === true || services.publicUrl.startsWith('https:');
    setCookie(c, LANGUAGE_COOKIE, wanted, { path: '/', httpOnly: true, sameSite: 'Lax', secure, maxAge: YEAR_SECONDS });
    const back = form.get('back') ?? '';
    return c.redirect(OWN_PATH.test(back) && !back.includes('..') ? back : '/console', 303);
  });
  registerLive(register, services, console);
  registerToday(register, services, console);
  registerStay(register, services, console);
  registerStayActs(register, services, console);
  registerIncidentPages(register, services, console);
  registerSagaPages(register, console);
  registerMessagePages(register, console);
  registerTextPages(register, console);
  registerTaskPages(register, console);
  registerStaffPages(register, services, console);
  registerMetrics(register, services, console);
  registerSystem(register, services, console);
  registerFind(register, services, console);
  registerDevelopers(register, services, console);
}
