import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';

/** The ops port's own pages: plain HTML, no script, one style sheet that the policy names by its hash. */

type Html = ReturnType<typeof html>;

const CSS = `
:root{color-scheme:light dark;--bg:#f4f5f7;--card:#fff;--ink:#1c2430;--soft:#566270;--line:#d9dee4;--brand:#0b6b63;--on:#fff;--bad:#a3211b;--tint:#e6f2f0}
@media (prefers-color-scheme:dark){:root{--bg:#12171d;--card:#1b222a;--ink:#e8edf2;--soft:#a3afbb;--line:#323c47;--brand:#5cc7bb;--on:#08231f;--bad:#ff9a91;--tint:#1f3533}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}
a{color:var(--brand)}
:focus-visible{outline:3px solid var(--brand);outline-offset:2px;border-radius:4px}
.skip{position:absolute;left:-999px}.skip:focus{left:12px;top:12px;background:var(--card);padding:8px 12px;z-index:1}
header{display:flex;gap:20px;align-items:center;flex-wrap:wrap;padding:12px 24px;background:var(--card);border-bottom:1px solid var(--line)}
header strong{font-size:17px;color:var(--brand);margin-right:auto}
nav{display:flex;gap:4px;align-items:center;flex-wrap:wrap}
nav a{padding:6px 12px;border-radius:8px;text-decoration:none;color:var(--ink)}
nav a:hover,nav a[aria-current]{background:var(--tint)}
nav form{margin:0}
main{max-width:960px;margin:0 auto;padding:32px 20px}
main.narrow{max-width:460px;padding-top:9vh}
h1{font-size:26px;line-height:1.25;margin:0 0 8px;overflow-wrap:anywhere}
p{margin:0 0 16px}.soft{color:var(--soft)}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:28px}
label{display:block;font-weight:600;margin:0 0 6px}
input{width:100%;font:inherit;padding:11px 12px;border:1px solid var(--soft);border-radius:9px;background:var(--bg);color:var(--ink)}
input[aria-invalid]{border-color:var(--bad)}
button{font:inherit;font-weight:600;padding:10px 18px;border:0;border-radius:9px;background:var(--brand);color:var(--on);cursor:pointer}
main.narrow button{width:100%;margin:18px 0}
main.narrow p:last-child{margin:0}
button.plain{background:none;color:var(--ink);font-weight:400;padding:6px 12px}button.plain:hover{background:var(--tint)}
.error{color:var(--bad);font-weight:600;margin:10px 0 0}
code{font:14px ui-monospace,Consolas,monospace;background:var(--tint);padding:2px 6px;border-radius:5px;overflow-wrap:anywhere}
ol.mails{list-style:none;margin:20px 0;padding:0;background:var(--card);border:1px solid var(--line);border-radius:14px;overflow:hidden}
ol.mails li+li{border-top:1px solid var(--line)}
ol.mails a{display:grid;grid-template-columns:58px minmax(0,1fr) auto;gap:2px 14px;padding:13px 18px;color:inherit;text-decoration:none}
ol.mails a:hover{background:var(--tint)}ol.mails a:focus-visible{outline-offset:-3px}
.tag{grid-row:span 2;align-self:center;text-align:center;font-size:12px;font-weight:700;padding:3px 0;border-radius:6px;background:var(--tint);color:var(--brand)}
.what{font-weight:600;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.who{color:var(--soft);font-size:14px;overflow-wrap:anywhere;grid-column:2}
time{color:var(--soft);font-size:14px;white-space:nowrap}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:4px 16px;margin:12px 0 20px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
iframe{display:block;width:100%;height:62vh;border:1px solid var(--line);border-radius:14px;background:#fff}
.sms{max-width:380px;margin:0;padding:14px 18px;background:var(--tint);border-radius:18px 18px 18px 4px;white-space:pre-wrap;overflow-wrap:anywhere}
.pages{display:flex;justify-content:space-between}
@media (max-width:560px){ol.mails a{grid-template-columns:50px minmax(0,1fr)}time{grid-column:2}}
`;

const STYLE_HASH = createHash('sha256').update(CSS).digest('base64');
const policy = (style: string): string =>
  `default-src 'none'; style-src ${style}; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
export const PAGE_CSP = policy(`'sha256-${STYLE_HASH}'`);
/** A mail is shown in a frame that inherits this policy, and mails style themselves inline. Still no script, no image. */
export const MAIL_CSP = policy("'unsafe-inline'");

interface PageOptions {
  /** The path under which operators reach this port: `/operations`, or nothing. */
  readonly prefix: string;
  readonly title: string;
  /** Null before the login. */
  readonly operator: { readonly sub: string } | null;
  readonly current?: 'mailbox';
  readonly narrow?: boolean;
}

export const page = (
  { prefix, title, operator, current, narrow }: PageOptions,
  content: Html,
): Html => html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><link rel="icon" href="data:,"><title>${title} - Roomy operations</title><style>${raw(CSS)}</style></head>
<body><a class="skip" href="#main">Skip to the content</a>
<header><strong>Roomy operations</strong>${
  operator === null
    ? ''
    : html`<nav aria-label="Main"><a href="${prefix}/queues">Queues</a><a href="${prefix}/mailbox" ${current === 'mailbox' ? raw('aria-current="page"') : ''}>Mailbox</a>
<form method="post" action="${prefix}/logout"><button class="plain">Log out ${operator.sub}</button></form></nav>`
}</header>
<main id="main" class="${narrow ? 'narrow' : ''}">${content}</main></body></html>`;

export const loginPage = (prefix: string, next: string, error: string | null): Html =>
  page(
    { prefix, title: 'Log in', operator: null, narrow: true },
    html`<div class="card"><h1>Log in</h1>
<p class="soft">Queues and mailbox are open to the roles OPS and ADMIN.</p>
<form method="post" action="${prefix}/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="off" spellcheck="false" aria-describedby="hint${error === null ? '' : ' problem'}" ${error === null ? '' : raw('aria-invalid="true"')}>
<input type="hidden" name="next" value="${next}">
${error === null ? '' : html`<p id="problem" class="error" role="alert">${error}</p>`}
<button>Log in</button>
</form>
<p id="hint" class="soft">Print one with <code>npm run -s token -- --role OPS --sub your-name</code>. The session ends with the token.</p></div>`,
  );

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
