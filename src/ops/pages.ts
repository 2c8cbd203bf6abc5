import { html, raw } from 'hono/html';
import { documentOf, type Html, policyOf, STYLE_INSIDE } from '../web/layout.ts';

/** The ops port's own pages: plain HTML, no script, and the style sheet inside, which the policy names by its hash. */

const policy = (style: string): string => policyOf({ 'style-src': style, 'img-src': 'data:', 'form-action': "'self'" });
export const PAGE_CSP = policy(STYLE_INSIDE);
/** A mail is shown in a frame that inherits this policy, and mails style themselves inline. Still no script, no image. */
export const MAIL_CSP = policy("'unsafe-inline'");

interface PageOptions {
  /** The path under which operators reach this port: `/operations`, or nothing. */
  readonly prefix: string;
  readonly title: string;
  /** Null before the login. */
  readonly operator: { readonly sub: string; readonly seesMessages?: boolean } | null;
  readonly current?: 'mailbox';
  readonly narrow?: boolean;
}

export const page = ({ prefix, title, operator, current, narrow }: PageOptions, content: Html): Html =>
  documentOf({
    title: `${title} - Roomy operations`,
    look: 'ops',
    style: 'inside',
    body: html`<a class="skip" href="#main">Skip to the content</a>
<header><strong>Roomy operations</strong>${
      operator === null
        ? ''
        : html`<nav aria-label="Main"><a href="${prefix}/queues">Queues</a>${operator.seesMessages === false ? '' : html`<a href="${prefix}/mailbox" ${current === 'mailbox' ? raw('aria-current="page"') : ''}>Mailbox</a>`}
<form method="post" action="${prefix}/logout"><button class="plain">Log out ${operator.sub}</button></form></nav>`
    }</header>
<main id="main" class="${narrow ? 'narrow' : ''}">${content}</main>`,
  });

interface Ways {
  readonly signInUrl: string | null;
  readonly takesTokens: boolean;
}
export const loginPage = (prefix: string, next: string, error: string | null, ways: Ways): Html =>
  page(
    { prefix, title: 'Log in', operator: null, narrow: true },
    html`<div class="card"><h1>Log in</h1>
<p class="soft">Queues are open to the roles OPS and ADMIN, the mailbox to ADMIN.</p>
${ways.signInUrl === null ? '' : html`<p><a href="${ways.signInUrl}">Sign in</a>, and come back.</p>`}
${ways.takesTokens ? tokenForm(prefix, next, error) : ''}</div>`,
  );

/** A button, because whatever opens a link of itself must not sign anybody in. */
export const handOverPage = (prefix: string, code: string): Html =>
  page(
    { prefix, title: 'Log in', operator: null, narrow: true },
    html`<div class="card"><h1>Log in</h1><form method="post" action="${prefix}/login">
<input type="hidden" name="code" value="${code}"><button>Go on to operations</button></form></div>`,
  );

const tokenForm = (prefix: string, next: string, error: string | null): Html =>
  html`<form method="post" action="${prefix}/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="off" spellcheck="false" aria-describedby="hint${error === null ? '' : ' problem'}" ${error === null ? '' : raw('aria-invalid="true"')}>
<input type="hidden" name="next" value="${next}">
${error === null ? '' : html`<p id="problem" class="error" role="alert">${error}</p>`}
<button>Log in</button>
</form>
<p id="hint" class="soft">Print one with <code>npm run -s token -- --role OPS --sub your-name</code>. The session ends with the token. This is for development only.</p>`;

export const logoutPage = (prefix: string, operator: { readonly sub: string }): Html =>
  page(
    { prefix, title: 'Log out', operator, narrow: true },
    html`<div class="card"><h1>Log out?</h1><p class="soft">You are logged in as ${operator.sub}.</p>
<form method="post" action="${prefix}/logout"><button>Log out</button></form></div>`,
  );

export const messagePage = (
  prefix: string,
  title: string,
  message: string,
  operator: { readonly sub: string } | null,
): Html =>
  page({ prefix, title, operator, narrow: true }, html`<div class="card"><h1>${title}</h1><p>${message}</p></div>`);
