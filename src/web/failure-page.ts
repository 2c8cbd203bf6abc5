import { html } from 'hono/html';
import type { Card } from './layout.ts';

/** What went wrong at an address that people open, in words and in their language. */

export type Failure = 'link' | 'signIn' | 'api' | 'absent' | 'busy' | 'often' | 'ours' | 'refused';
type Words = Readonly<Record<Failure, readonly [title: string, text: string]>>;
const ENGLISH: Words = {
  link: [
    'This link does not work',
    'It is not complete, has expired, was used already, or was replaced by a newer one. Open it again from the latest message, or ask whoever sent it to you for a new one.',
  ],
  signIn: [
    'This link does not work',
    'It was used already, has expired, or was replaced by a newer one. Ask for a new one where you sign in.',
  ],
  api: ['This is where the API begins', 'There is nothing to see at this address. What is below it stands here:'],
  absent: ['There is no such page', 'The address may have been typed wrongly, or the page is not there any more.'],
  busy: ['Please try again in a moment', 'We cannot be reached just now. Nothing that you sent has been lost or done.'],
  often: ['That was too often', 'Please wait a minute, and then try again. Nothing was done.'],
  ours: ['Something went wrong on our side', 'Please try again. If it happens again, tell us the number below.'],
  refused: ['This cannot be shown', 'The address holds something that this page does not know.'],
};
const ARABIC: Words = {
  link: [
    'هذا الرابط لا يعمل',
    'الرابط غير مكتمل أو انتهت صلاحيته أو حلّ محله رابط أحدث. افتحه مجدداً من آخر رسالة، أو اطلب رابطاً جديداً ممن أرسله إليك.',
  ],
  signIn: [
    'هذا الرابط لا يعمل',
    'استُخدم الرابط من قبل أو انتهت صلاحيته أو حلّ محله رابط أحدث. اطلب رابطاً جديداً من صفحة الدخول.',
  ],
  api: ['من هنا تبدأ واجهة البرمجة', 'لا شيء يُعرض على هذا العنوان. ما يليه موصوف هنا:'],
  absent: ['لا توجد صفحة بهذا العنوان', 'ربما كُتب العنوان خطأً، أو لم تعد الصفحة موجودة.'],
  busy: ['يرجى المحاولة بعد قليل', 'تعذّر الوصول إلينا الآن. لم يضِع شيء مما أرسلته ولم يُنفَّذ.'],
  often: ['محاولات كثيرة', 'يرجى الانتظار دقيقة ثم المحاولة مجدداً. لم يُنفَّذ شيء.'],
  ours: ['حدث خطأ من جانبنا', 'يرجى المحاولة مجدداً. إن تكرر الخطأ فأخبرنا بالرقم أدناه.'],
  refused: ['لا يمكن عرض هذا', 'في العنوان شيء لا تعرفه هذه الصفحة.'],
};

interface About {
  readonly failure: Failure;
  readonly language: 'en' | 'ar';
  /** The path under which the API is reached. */
  readonly prefix: string;
  readonly requestId: string;
}

export function failurePage({ failure, language, prefix, requestId }: About): Card {
  const [title, text] = (language === 'ar' ? ARABIC : ENGLISH)[failure];
  return {
    title,
    language,
    content: html`<p>${text}</p>${failure === 'ours' ? html`<p class="soft"><bdi>${requestId}</bdi></p>` : ''}${
      failure === 'absent' ? html`<p><a href="${prefix}/">Roomy</a></p>` : ''
    }${
      failure === 'signIn'
        ? html`<p><a href="${prefix}/sign-in">${language === 'ar' ? 'الدخول' : 'Sign in'}</a></p>`
        : ''
    }${failure === 'api' ? html`<p><a href="${prefix}/docs">${prefix}/docs</a></p>` : ''}`,
  };
}
