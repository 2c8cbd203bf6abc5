/** @import { Result } from './model.ts' */

/** The API as the phone uses it. */

/** With the prefix under which the page was found. */
const API = new URL('../api/production', import.meta.url).pathname;
const TOKEN = 'roomy-token';
const WITHIN_MS = 20_000;

/** Where a session becomes a token, which ends within minutes and is got anew as long as the session lasts. */
const SESSION = new URL('../session/token', import.meta.url).pathname;
const SIGN_OUT = new URL('../sign-out', import.meta.url).pathname;
export const SIGN_IN_PAGE = new URL('../sign-in', import.meta.url).pathname;
/** When the token of a session ends, by this phone's clock; absent: it was pasted. */
const UNTIL = 'roomy-token-until';
const RENEW_BEFORE_MS = 60_000;

export const token = () => localStorage.getItem(TOKEN);

/**
 * With a pasted code.
 *
 * @param {string} text
 */
export function signIn(text) {
  localStorage.setItem(TOKEN, text);
  localStorage.removeItem(UNTIL);
}

export function signOutToken() {
  for (const name of [TOKEN, UNTIL, BEHIND]) localStorage.removeItem(name);
}

/** Ends the session as well; without a network it ends by itself, and nothing of it stays on this phone. */
export async function signOutSession() {
  if (localStorage.getItem(UNTIL) === null) return;
  const signal = AbortSignal.timeout(WITHIN_MS);
  await fetch(SIGN_OUT, { method: 'POST', redirect: 'manual', signal }).catch(() => undefined);
}

/** @type {Promise<boolean> | undefined} */
let renewing;
/** Gets a token for the session of this browser, once for all who ask meanwhile. Answers whether there is one. */
export function renew() {
  renewing ??= getToken().finally(() => {
    renewing = undefined;
  });
  return renewing;
}

async function getToken() {
  try {
    const signal = AbortSignal.timeout(WITHIN_MS);
    const response = await fetch(SESSION, { method: 'POST', cache: 'no-store', signal });
    if (!response.ok) return false;
    const { data } = await response.json();
    const lifetimeMs =
      Date.parse(data.expiresAt) - Date.parse(response.headers.get('date') ?? new Date().toUTCString());
    localStorage.setItem(TOKEN, data.token);
    localStorage.setItem(UNTIL, String(Date.now() + lifetimeMs));
    return true;
  } catch {
    return false;
  }
}

/** Whether a token of a session is about to end. One that was pasted cannot be got anew. */
function isEnding() {
  const until = localStorage.getItem(UNTIL);
  return until !== null && Number(until) - Date.now() < RENEW_BEFORE_MS;
}

/**
 * The subject of the token, which the API has checked.
 *
 * @returns {string}
 */
export function whoAmI() {
  try {
    const [, payload = ''] = (token() ?? '').split('.');
    return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))).sub ?? '';
  } catch {
    return '';
  }
}

/** What this phone's clock is behind that of the service, in milliseconds, as of the last answer. */
const BEHIND = 'roomy-clock-behind';
/** Less is the age of an answer, and of its whole seconds. */
const NOTABLE_MS = 30_000;

/** Now, by the clock of the service: a phone that is fast would report work that lies in the future, which is refused. */
export const now = () => new Date(Date.now() + Number(localStorage.getItem(BEHIND) ?? 0));

/** @param {Headers} headers */
function compareClocks(headers) {
  const there = Date.parse(headers.get('date') ?? '');
  if (token() === null || Number.isNaN(there)) return;
  const behind = there - Date.now();
  localStorage.setItem(BEHIND, String(Math.abs(behind) < NOTABLE_MS ? 0 : behind));
}

/**
 * @param {'GET' | 'POST' | 'PUT'} method
 * @param {string} path below the root of the API
 * @param {{ body?: object, bytes?: Blob, key?: string }} [sent] JSON or bytes, and the idempotency key
 * @returns {Promise<Result>}
 */
export async function call(method, path, sent = {}) {
  if (isEnding()) await renew();
  const result = await callOnce(method, path, sent);
  // Ended earlier than this phone's clock says.
  const isOver = result.status === 401 && localStorage.getItem(UNTIL) !== null;
  return isOver && (await renew()) ? callOnce(method, path, sent) : result;
}

/**
 * @param {'GET' | 'POST' | 'PUT'} method
 * @param {string} path
 * @param {{ body?: object, bytes?: Blob, key?: string }} sent
 * @returns {Promise<Result>}
 */
async function callOnce(method, path, { body, bytes, key }) {
  /** @type {Record<string, string>} */
  const headers = { authorization: `Bearer ${token()}` };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (bytes !== undefined) headers['content-type'] = bytes.type;
  if (key !== undefined) headers['idempotency-key'] = key;
  try {
    const response = await fetch(`${API}${path}`, {
      method,
      headers,
      cache: 'no-store',
      signal: AbortSignal.timeout(WITHIN_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(bytes === undefined ? {} : { body: bytes }),
    });
    compareClocks(response.headers);
    return { status: response.status, ok: response.ok, offline: false, answer: await response.json() };
  } catch {
    return { status: 0, ok: false, offline: true, answer: {} };
  }
}

/**
 * The network may come back, or the service: nothing has been decided.
 *
 * @param {Result} result
 */
export const mayPass = ({ status, offline }) => offline || status >= 500 || status === 429;
