import { html } from 'hono/html';
import type { AccountRow } from '../domain/people/accounts.ts';
import type { Card, Html } from './layout.ts';

/** Where people sign in, without a password; with a passkey alone by a script. `prefix`: the path under which the API is reached. */

const ROLES: Readonly<Record<AccountRow['role'], string>> = {
  ADMIN: 'Administrator',
  AGENT: 'Agent',
  FINANCE: 'Finance',
  OPS: 'Operations',
  OWNER: 'Owner',
  CLEANER: 'Cleaner',
  MAINTENANCE_STAFF: 'Maintenance',
  GUEST: 'Guest',
};

/** `demo`: made-up people who are signed in by one click, in development only. `waysIn`: what there is besides a link. */
export const signInPage = (
  prefix: string,
  demo: readonly Pick<AccountRow, 'id' | 'name' | 'role'>[],
  waysIn: Html,
): Card => ({
  title: 'Sign in',
  content: html`<p class="soft">We send a link to your e-mail address. It opens once, and for 15 minutes.</p>
<form method="post" action="${prefix}/sign-in">
<label class="field" for="email">E-mail address</label>
<input id="email" name="email" type="email" required autofocus autocomplete="username webauthn" maxlength="254">
<button>Send me a link</button>
</form>
${waysIn}
${
  demo.length === 0
    ? ''
    : html`<h2>Demo</h2><p class="soft">One click signs you in as one of the made-up people of the demo. This is for development only: in production there are no such buttons.</p>
${demo.map(
  ({
    id,
    name,
    role,
  }) => html`<form method="post" action="${prefix}/sign-in/demo"><input type="hidden" name="account" value="${id}">
<button class="no">${ROLES[role]}: ${name}</button></form>`,
)}`
}`,
});

/** The same for every address. `mailbox`: where mails are read in development; null: they go out. */
export const mailSentPage = (prefix: string, mailbox: string | null): Card => ({
  title: 'Look into your mail',
  content: html`<p role="status">If this address has an account here, a mail with a link is on its way. It opens once, and for 15 minutes.</p>
${mailbox === null ? '' : html`<p class="soft">In development mails do not leave this machine: they are in the <a href="${mailbox}">mailbox</a>.</p>`}
<p><a href="${prefix}/sign-in">Another address</a></p>`,
});

interface Link {
  readonly kind: 'LINK' | 'INVITATION';
  readonly token: string;
  readonly name: string;
}
/** A button, because programs that check mails open every link in them, and press none. */
export const linkPage = ({ kind, token, name }: Link): Card => ({
  title: kind === 'LINK' ? 'Sign in' : 'Welcome to Roomy',
  content: html`<p class="soft">${
    kind === 'LINK' ? html`You sign in as <bdi>${name}</bdi>.` : html`This account is for <bdi>${name}</bdi>.`
  }</p>
<form method="post" action="${token}"><button>${kind === 'LINK' ? 'Sign in' : 'Begin'}</button></form>`,
});
