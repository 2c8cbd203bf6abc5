import { generateCookie, getCookie } from 'hono/cookie';
import { z } from 'zod';
import type { LiveSession } from '../../domain/people/sessions.ts';
import { refill, type TypedForm } from '../../web/console/refill.ts';
import type { AnyContext, Services } from '../context.ts';

/**
 * What somebody has typed into a form that was refused until a second factor is given: kept in this browser, sealed for this session, and
 * shown on the page of the form until it is sent again. Never in an address, as it may be about a person.
 */

const COOKIE = 'roomy_form';
const SECONDS = 15 * 60;
/** Browsers keep no longer cookie. */
const MAX_SEALED = 3_800;

const Kept = z.object({ page: z.string(), action: z.string(), fields: z.record(z.string(), z.string()) });
type Deps = Pick<Services, 'isProduction' | 'publicUrl' | 'secrets'>;
const contextOf = ({ id }: Pick<LiveSession, 'id'>): string => `form ${id}`;
const attributes = (c: AnyContext, { isProduction = false, publicUrl }: Deps) =>
  ({
    path: `${c.get('prefix')}/console`,
    httpOnly: true,
    sameSite: 'Strict',
    secure: isProduction || publicUrl.startsWith('https:'),
  }) as const;

/** The answer to a refused form, with the form as it was typed; it is kept as well, unless it is too long. */
export async function keepForm(
  c: AnyContext,
  deps: Deps,
  session: LiveSession,
  { page, form, answer }: { readonly page: string; readonly form: URLSearchParams; readonly answer: Response },
): Promise<Response> {
  const typed: TypedForm = { action: `${c.get('prefix')}${c.req.path}`, fields: Object.fromEntries(form) };
  const filled = await refilled(answer, typed);
  const sealed = deps.secrets.seal(contextOf(session), JSON.stringify({ page, ...typed }));
  // One that is too long takes the place of what was kept before: that would come back instead.
  const [kept, maxAge] = sealed.length <= MAX_SEALED ? [sealed, SECONDS] : ['', 0];
  filled.headers.append('set-cookie', generateCookie(COOKIE, kept, { ...attributes(c, deps), maxAge }));
  return filled;
}

/** A page, with the form of it that was kept. An open page asks for itself again and again, and has to find it each time. */
export async function showKept(c: AnyContext, deps: Deps, session: LiveSession, answer: Response): Promise<Response> {
  const sealed = getCookie(c, COOKIE);
  const text = sealed === undefined ? null : deps.secrets.open(contextOf(session), sealed);
  const kept = text === null ? null : Kept.parse(JSON.parse(text));
  return kept === null || kept.page !== c.req.path ? answer : refilled(answer, kept);
}

/** After a form was sent whose answer asks for no factor. */
export function forgetForm(c: AnyContext, deps: Deps, answer: Response): Response {
  if (getCookie(c, COOKIE) === undefined) return answer;
  const forgotten = new Response(answer.body, answer);
  forgotten.headers.append('set-cookie', generateCookie(COOKIE, '', { ...attributes(c, deps), maxAge: 0 }));
  return forgotten;
}

async function refilled(answer: Response, typed: TypedForm): Promise<Response> {
  return new Response(refill(await answer.text(), typed), answer);
}
