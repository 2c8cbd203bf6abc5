import { startAuthentication, startRegistration } from './simplewebauthn.js';

/**
 * Uses a passkey, to sign in or as a second factor, and adds one to the account. Without this script the pages still offer the mail's link; what needs
 * it is hidden until it has run.
 */

/** With the prefix under which the page itself was found. */
const base = new URL('..', import.meta.url).pathname.replace(/\/$/, '');

/**
 * Answers `data`, or throws what the server says is wrong.
 *
 * @template T
 * @param {string} path
 * @param {object} body
 * @returns {Promise<T>}
 */
async function post(path, body) {
  const answer = await fetch(base + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(body),
  });
  const { data, error, code } = await answer.json();
  // The page that asks for it leads back.
  if (code === 'STEP_UP_REQUIRED') location.assign(`${base}/account/second-factor`);
  if (!answer.ok) throw new Error(error);
  return data;
}

async function use() {
  /** @type {import('./simplewebauthn.js').PublicKeyCredentialRequestOptionsJSON} */
  const optionsJSON = await post('/passkeys/options', {});
  const { id, response } = await startAuthentication({ optionsJSON });
  const { clientDataJSON, authenticatorData, signature, userHandle } = response;
  /** @type {{ readonly next: string }} */
  const { next } = await post('/passkeys/sign-in', { id, clientDataJSON, authenticatorData, signature, userHandle });
  location.assign(base + next);
}

/** @param {string} name */
async function add(name) {
  /** @type {import('./simplewebauthn.js').PublicKeyCredentialCreationOptionsJSON} */
  const optionsJSON = await post('/account/passkeys/options', {});
  const { id, response } = await startRegistration({ optionsJSON });
  const { clientDataJSON, attestationObject, transports = [] } = response;
  await post('/account/passkeys', { name, id, clientDataJSON, attestationObject, transports });
  location.assign(`${base}/account`);
}

for (const part of document.querySelectorAll('[data-passkey]')) {
  if (!(part instanceof HTMLFormElement) || typeof PublicKeyCredential !== 'function') continue;
  part.hidden = false;
  const said = part.querySelector('[role="alert"]');
  const button = part.querySelector('button');
  part.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (said) said.textContent = '';
    if (button) button.disabled = true;
    try {
      if (part.dataset['passkey'] === 'use') await use();
      else await add(String(new FormData(part).get('name') ?? ''));
    } catch (error) {
      if (said) said.textContent = wordsOf(error);
    } finally {
      if (button) button.disabled = false;
    }
  });
}

/**
 * Somebody who closes the window of the browser knows it.
 *
 * @param {unknown} error
 */
function wordsOf(error) {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'NotAllowedError' ? 'No passkey was used. Try again, or sign in by a link.' : error.message;
}
