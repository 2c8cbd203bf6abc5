import type { MiddlewareHandler } from 'hono';
import { html } from 'hono/html';
import type { AnyContext, AppEnv } from './context.ts';
import { type Html, PAGE_HEADERS, pageOf, prefersPage } from './page-layout.ts';

/**
 * Failures at addresses that people open are pages in words, with the same status as the envelope that they replace. The API,
 * the probes and the description are for programs and keep their answers, whatever a browser asks for.
 */

const FOR_PROGRAMS = /^\/(?:api|health)(?:\/|$)|^\/(?:healthz|readyz|openapi\.json)$/;
/** Printed by `npm start`, and nothing for a program: whoever opens it is looking for the rest. */
const ROOT_OF_API = /^\/api\/production\/?$/;
/** Addresses that somebody was sent: the visitor can do nothing about them but ask for another. */
const LINKS = /^\/(?:approvals|offers|reports|calendar)(?:\/|$)/;

type Words = Readonly<
  Record<'link' | 'api' | 'absent' | 'busy' | 'ours' | 'refused', readonly [title: string, text: string]>
>;
const ENGLISH: Words = {
  link: [
    'This link does not work',
    'It is not complete, has expired, or was replaced by a newer one. Open it again from the latest message, or ask whoever sent it to you for a new one.',
  ],
  api: ['This is where the API begins', 'There is nothing to see at this address. What is below it stands here:'],
  absent: ['There is no such page', 'The address may have been typed wrongly, or the page is not there any more.'],
  busy: ['Please try again in a moment', 'We cannot be reached just now. Nothing that you sent has been lost or done.'],
  ours: ['Something went wrong on our side', 'Please try again. If it happens again, tell us the number below.'],
  refused: ['This cannot be shown', 'The address holds something that this page does not know.'],
};
const ARABIC: Words = {
  link: [
    'هذا الرابط لا يعمل',
    'الرابط غير مكتمل أو انتهت صلاحيته أو حلّ محله رابط أحدث. افتحه مجدداً من آخر رسالة، أو اطلب رابطاً جديداً ممن أرسله إليك.',
  ],
  api: ['من هنا تبدأ واجهة البرمجة', 'لا شيء يُعرض على هذا العنوان. ما يليه موصوف هنا:'],
  absent: ['لا توجد صفحة بهذا العنوان', 'ربما كُتب العنوان خطأً، أو لم تعد الصفحة موجودة.'],
  busy: ['يرجى المحاولة بعد قليل', 'تعذّر الوصول إلينا الآن. لم يضِع شيء مما أرسلته ولم يُنفَّذ.'],
  ours: ['حدث خطأ من جانبنا', 'يرجى المحاولة مجدداً. إن تكرر الخطأ فأخبرنا بالرقم أدناه.'],
  refused: ['لا يمكن عرض هذا', 'في العنوان شيء لا تعرفه هذه الصفحة.'],
};

export function failurePages(prefix: string): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    const { status, headers } = c.res;
    if (status < 400 || (FOR_PROGRAMS.test(c.req.path) && !ROOT_OF_API.test(c.req.path))) return;
    if (headers.get('content-type')?.startsWith('application/json') !== true) return;
    headers.append('Vary', 'Accept');
    if (!prefersPage(c)) return;
    const own = new Headers(headers);
    for (const [name, value] of Object.entries(PAGE_HEADERS)) own.set(name, value);
    own.append('Vary', 'Accept-Language');
    own.set('Content-Type', 'text/html; charset=UTF-8');
    own.delete('Content-Length');
    const body = String(await failurePage(c, status, prefix));
    // Undefined first: setting it over another one would merge the old headers back in.
    c.res = undefined;
    c.res = new Response(body, { status, headers: own });
  };
}

function failurePage(c: AnyContext, status: number, prefix: string): Html {
  const language = /^\s*ar\b/i.test(c.req.header('accept-language') ?? '') ? 'ar' : 'en';
  const kind = kindOf(c.req.path, status);
  const [title, text] = (language === 'ar' ? ARABIC : ENGLISH)[kind];
  return pageOf({
    title,
    language,
    content: html`<p>${text}</p>${kind === 'ours' ? html`<p class="soft"><bdi>${c.get('requestId')}</bdi></p>` : ''}${
      kind === 'absent' ? html`<p><a href="${prefix}/">Roomy</a></p>` : ''
    }${kind === 'api' ? html`<p><a href="${prefix}/docs">${prefix}/docs</a></p>` : ''}`,
  });
}

function kindOf(path: string, status: number): keyof Words {
  if (status === 503) return 'busy';
  if (status >= 500) return 'ours';
  if (LINKS.test(path)) return 'link';
  if (ROOT_OF_API.test(path)) return 'api';
  return status === 404 || status === 405 ? 'absent' : 'refused';
}
