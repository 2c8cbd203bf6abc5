import { html } from 'hono/html';
import type { PasskeyView } from '../domain/people/passkeys.ts';
import type { Card, Html } from './layout.ts';

/**
 * What passkeys and another identity provider add to the pages of the sign-in and of the account. Addresses are absolute, with
 * the prefix under which the API is reached.
 */

/** The forms of passkeys are hidden where this does not run. */
const passkeyScript = (prefix: string): Html =>
  html`<script type="module" src="${prefix}/passkeys/passkeys.js"></script>`;
const useForm = (prefix: string, words: string): Html =>
  html`<form data-passkey="use" hidden><button class="no">${words}</button><p role="alert"></p></form>${passkeyScript(prefix)}`;
const addForm = (prefix: string): Html =>
  html`<form data-passkey="add" hidden><label class="field" for="passkey-name">Name of the new passkey</label>
<input id="passkey-name" name="name" maxlength="60" required autocomplete="off" placeholder="My phone">
<button class="no">Add a passkey</button><p role="alert"></p></form>${passkeyScript(prefix)}`;

/** For the sign-in page. `identityProvider`: what people call it; null: there is none. */
export const otherWaysIn = (prefix: string, identityProvider: string | null): Html =>
  html`${useForm(prefix, 'Sign in with a passkey')}
${
  identityProvider === null
    ? ''
    : html`<form method="post" action="${prefix}/oidc"><button class="no">Sign in with <bdi>${identityProvider}</bdi></button></form>`
}`;

/** For the page that asks for a second factor, of somebody who has a passkey. */
export const passkeyFactor = (prefix: string): Html => useForm(prefix, 'Use a passkey');

/** For the page that sets the first second factor up. */
export const passkeyInstead = (prefix: string): Html =>
  html`<h2>Or a passkey</h2><p class="soft">A finger, a face or a PIN on a device of yours counts as two factors.</p>${addForm(prefix)}`;

export interface OwnWaysIn {
  readonly passkeys: readonly PasskeyView[];
  readonly identityProvider: string | null;
  /** The account is linked to the provider. */
  readonly isLinked: boolean;
}

/** For the account page: the person's own passkeys, and the link to the other provider. */
export const ownWaysIn = (prefix: string, { passkeys, identityProvider, isLinked }: OwnWaysIn): Html =>
  html`<h2 id="passkeys">Passkeys</h2>
<p class="soft">A passkey is a finger, a face or a PIN on a device of yours, and counts as two factors.</p>
${passkeys.length === 0 ? html`<p>You have none yet.</p>` : html`<ul>${passkeys.map((passkey) => passkeyItem(prefix, passkey))}</ul>`}
${addForm(prefix)}
${identityProvider === null ? '' : identityItem(prefix, identityProvider, isLinked)}`;

const passkeyItem = (prefix: string, { id, name, createdAt, lastUsedAt }: PasskeyView): Html =>
  html`<li><bdi>${name}</bdi>, since ${dayOf(createdAt)}, ${lastUsedAt === null ? 'not used yet' : `last used ${dayOf(lastUsedAt)}`}
<form method="post" action="${prefix}/account/passkeys/${id}/name"><label class="field" for="name-${id}">Another name</label>
<input id="name-${id}" name="name" value="${name}" maxlength="60" required autocomplete="off"><button class="no">Rename</button></form>
<form method="post" action="${prefix}/account/passkeys/${id}/removal"><button class="no">Remove <bdi>${name}</bdi></button></form></li>`;

const identityItem = (prefix: string, name: string, isLinked: boolean): Html =>
  html`<h2 id="identity"><bdi>${name}</bdi></h2>
${
  isLinked
    ? html`<p>You can sign in with <bdi>${name}</bdi>.</p>
<form method="post" action="${prefix}/account/identity/removal"><button class="no">Remove this link</button></form>`
    : html`<form method="post" action="${prefix}/account/identity"><button class="no">Link my account with <bdi>${name}</bdi></button></form>`
}`;

/** In UTC, as the account has no zone. */
const dayOf = (instant: string): string => instant.slice(0, 10);

/** While the browser is sent elsewhere; the link is for one that does not go by itself. */
export const goingOnPage = (title: string, address: string): Card => ({
  title,
  content: html`<p><a href="${address}">Continue</a></p>`,
});

/** The same for whoever has no account, has none any more, or was refused there: it tells a stranger nothing. */
export const notSignedInPage = (prefix: string): Card => ({
  title: 'You are not signed in',
  content: html`<p role="status">This sign-in did not succeed. Nothing was changed.</p>
<p>An account is opened by an invitation of the agency. If you have one, <a href="${prefix}/sign-in">sign in by a link in a mail</a>, or try again.</p>`,
});

/** The other provider does not answer. */
export const providerAwayPage = (prefix: string, name: string): Card => ({
  title: 'Not just now',
  content: html`<p role="status"><bdi>${name}</bdi> does not answer at the moment.</p>
<p>Try again in a few minutes, or <a href="${prefix}/sign-in">sign in by a link in a mail</a>.</p>`,
});
