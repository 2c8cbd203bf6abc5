/** Sends the requests that somebody tries on the page. The token stays in the page and is forgotten with it. */

/** With the prefix under which the page itself was found. */
const base = new URL('.', location.href).pathname.replace(/\/$/, '');

for (const form of document.querySelectorAll('form.try')) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send(form).catch((error) => {
      form.querySelector('pre').textContent = String(error);
    });
  });
}

async function send(form) {
  const shown = form.querySelector('pre');
  const query = new URLSearchParams();
  const headers = {};
  let path = form.dataset.path;
  for (const { name, value, dataset } of form.querySelectorAll('input')) {
    if (value === '') continue;
    if (dataset.in === 'path') path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (dataset.in === 'query') query.append(name, value);
    else headers[name] = value;
  }
  const token = document.getElementById('token').value.trim();
  if (token !== '') headers.Authorization = `Bearer ${token}`;
  const text = form.querySelector('textarea');
  if (text !== null) headers['Content-Type'] = 'application/json';
  const method = form.dataset.method.toUpperCase();
  const asked = query.size === 0 ? path : `${path}?${query}`;
  const answer = await fetch(base + asked, { method, headers, ...(text === null ? {} : { body: text.value }) });
  const body = await answer.text();
  shown.textContent = `${answer.status} ${answer.statusText}\n\n${pretty(body)}`;
}

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
