import { html, raw } from 'hono/html';
import type { SessionView } from '../domain/people/sessions.ts';
import type { Card, Html } from './layout.ts';

/** What somebody sees of their own account. Forms alone, and a script for passkeys. `prefix`: the path under which the API is reached. */

interface Place {
  readonly href: string;
  readonly text: string;
  /** It is asked for by a form. */
  readonly isForm?: boolean;
}
interface Account {
  readonly prefix: string;
  readonly name: string;
  readonly email: string;
  /** As the audit trail names this person. */
  readonly principal: string;
  readonly sessions: readonly SessionView[];
  /** The session of this browser. */
  readonly current: string;
  readonly hasAuthenticator: boolean;
  /** Passkeys, and the link to another identity provider. */
  readonly waysIn: Html;
  /** Pages that this role works with. */
  readonly places: readonly Place[];
}

export const accountPage = ({
  prefix,
  name,
  email,
  principal,
  sessions,
  current,
  hasAuthenticator,
  waysIn,
  places,
}: Account): Card => ({
  title: 'Your account',
  wide: true,
  content: html`<p class="soft"><bdi>${name}</bdi>, ${email} <code>${principal}</code></p>
${places.length === 0 ? '' : html`<ul>${places.map((place) => html`<li>${linkTo(place)}</li>`)}</ul>`}
<h2>Second factor</h2>
<p>${
    hasAuthenticator
      ? html`An authenticator app is set up. <a href="${prefix}/account/second-factor">Give a code again</a>, for what needs a fresh one.`
      : html`<a href="${prefix}/account/second-factor">Set up an authenticator app</a>`
  }</p>
${waysIn}
<h2>Where you are signed in</h2>
<ul>${sessions.map(
    (session) =>
      html`<li>${session.userAgent ?? 'An unknown browser'}, since ${moment(session.createdAt)}${
        session.ip === null ? '' : html`, from ${session.ip}`
      }${
        session.id === current
          ? html` <strong>(this one)</strong>`
          : html`<form method="post" action="${prefix}/account/sessions/${session.id}/end"><button class="no">End</button></form>`
      }</li>`,
  )}</ul>
<form method="post" action="${prefix}/sign-out"><button>Sign out</button></form>
<form method="post" action="${prefix}/sign-out/everywhere"><button class="no">Sign out everywhere</button></form>`,
});

const linkTo = ({ href, text, isForm = false }: Place): Html =>
  isForm
    ? html`<form method="post" action="${href}"><button class="no">${text}</button></form>`
    : html`<a href="${href}">${text}</a>`;

/** `href`: on another host, where its code opens once. */
export const handOverPage = (href: string): Card => ({
  title: 'Operations',
  content: html`<p><a href="${href}" rel="noreferrer">Go on to operations</a>, within a minute.</p>`,
});

const moment = (iso: string): Html => html`<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time>`;

interface SetUp {
  readonly prefix: string;
  /** An image of ours, as markup. */
  readonly qr: string;
  /** For typing it in, in groups of four. */
  readonly secret: string;
  /** Comes back with the code. */
  readonly sealed: string;
  readonly isRequired: boolean;
  readonly problem: string | null;
  /** What counts as a second factor besides. */
  readonly instead: Html;
}
export const setUpPage = ({ prefix, qr, secret, sealed, isRequired, problem, instead }: SetUp): Card => ({
  title: 'Set up your second factor',
  content: html`<p class="soft">${
    isRequired ? 'Your role needs one: nothing else opens before. ' : ''
  }Scan this with an authenticator app, and type the code that it shows.</p>
<div class="qr" role="img" aria-label="QR code for your authenticator app">${raw(qr)}</div>
<p>Or type this key: <code>${secret.replaceAll(/(.{4})(?=.)/g, '$1 ')}</code></p>
${codeForm(prefix, problem, html`<input type="hidden" name="sealed" value="${sealed}">`)}
${instead}`,
});

export const challengePage = (prefix: string, problem: string | null, instead: Html | ''): Card => ({
  title: 'Your second factor',
  content: html`<p class="soft">Type the code that your authenticator app shows now. Each code counts once.</p>
${codeForm(prefix, problem, html``)}
${instead}`,
});

/** For an account whose second factor is a passkey, and which has no app. */
export const passkeyChallengePage = (prefix: string, passkey: Html): Card => ({
  title: 'Your second factor',
  content: html`<p class="soft">Use the passkey of your account.</p>
${passkey}
<form method="post" action="${prefix}/sign-out"><button class="no">Sign out</button></form>`,
});

/** For an account without any, whose sign-in was too long ago to set one up. */
export const signInAgainPage = (prefix: string): Card => ({
  title: 'Sign in again',
  content: html`<p class="soft">A second factor is set up in the 15 minutes after a sign-in. Sign out, and in again.</p>
<form method="post" action="${prefix}/sign-out"><button>Sign out</button></form>`,
});

/** Made-up people have no phone: their factor is as old as their sign-in, which is made new by one click. */
export const demoAgainPage = (prefix: string, account: { readonly id: string; readonly name: string }): Card => ({
  title: 'Sign in again',
  content: html`<p class="soft">This needs a sign-in of the last 15 minutes. One click makes it new, and leads back to where you were.</p>
<form method="post" action="${prefix}/sign-in/demo"><input type="hidden" name="account" value="${account.id}"><button>Sign in again as ${account.name}</button></form>
<form method="post" action="${prefix}/sign-out"><button class="no">Sign out</button></form>`,
});

const codeForm = (prefix: string, problem: string | null, more: Html): Html =>
  html`<form method="post" action="${prefix}/account/second-factor">${more}
<label class="field" for="code">Code</label>
<input id="code" name="code" inputmode="numeric" pattern="[0-9]{6}" maxlength="6" required autofocus autocomplete="one-time-code"${
    problem === null ? '' : raw(' aria-invalid="true" aria-describedby="problem"')
  }>
${problem === null ? '' : html`<p id="problem" class="problem" role="alert">${problem}</p>`}
<button>Go on</button></form>
<form method="post" action="${prefix}/sign-out"><button class="no">Sign out</button></form>`;
