/** Sends the requests that somebody tries on the page. The token stays in the page and is forgotten with it. */

/** With the prefix under which the page itself was found. */
const base = new URL('.', location.href).pathname.replace(/\/$/, '');

/** @type {HTMLInputElement | null} */
const token = document.querySelector('#token');

for (const form of document.querySelectorAll('form')) {
  const shown = form.querySelector('pre');
  if (shown === null) continue;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      shown.textContent = await send(form);
    } catch (error) {
      shown.textContent = String(error);
    }
  });
}

/**
 * Answers the status and the body as they are shown.
 *
 * @param {HTMLFormElement} form
 */
async function send(form) {
  const query = new URLSearchParams();
  /** @type {Record<string, string>} */
  const headers = {};
  let path = form.dataset['path'] ?? '';
  for (const { name, value, dataset } of form.querySelectorAll('input')) {
    if (value === '') continue;
    if (dataset['in'] === 'path') path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (dataset['in'] === 'query') query.append(name, value);
    else headers[name] = value;
  }
  const credential = token?.value.trim() ?? '';
  if (credential !== '') headers['Authorization'] = `Bearer ${credential}`;
  const text = form.querySelector('textarea');
  if (text !== null) headers['Content-Type'] = 'application/json';
  const method = (form.dataset['method'] ?? 'get').toUpperCase();
  const asked = query.size === 0 ? path : `${path}?${query}`;
  const answer = await fetch(base + asked, { method, headers, ...(text === null ? {} : { body: text.value }) });
  return `${answer.status} ${answer.statusText}\n\n${pretty(await answer.text())}`;
}

/** @param {string} text */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** A link to an operation opens it. */
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}
addEventListener('hashchange', open);
open();
