/**
 * Keeps an open page of the console up to date. The server says that something has changed; the page asks for itself again, and
 * those of its parts that are others now take the place of the old ones. A part in which somebody is at work is left alone until
 * they are done. Without this file the page is as it was when it was opened.
 */

const main = document.querySelector('main');
const line = document.querySelector('#live');
const { stream, page } = main?.dataset ?? {};

/** Between two askings, in milliseconds, at the least; as long as the answer takes where that is longer. */
const REST_MS = 500;
/** Until a stream that was refused is asked for again. */
const AGAIN_MS = 30_000;

/** @type {EventSource | null} */
let source = null;
let isDue = false;
let isAsking = false;
/** Something new waits for somebody to be done. */
let isHeldBack = false;

function listen() {
  if (stream === undefined || source !== null || document.hidden) return;
  source = new EventSource(stream);
  source.addEventListener('changed', () => {
    isDue = true;
    void refresh();
  });
  source.addEventListener('error', () => {
    // A browser comes again by itself after a cut, but not after a refusal.
    if (source?.readyState !== EventSource.CLOSED) return;
    source = null;
    setTimeout(listen, AGAIN_MS);
  });
}

// A browser has few connections to one server: a page that nobody sees needs none.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) return listen();
  source?.close();
  source = null;
});
addEventListener('pagehide', () => source?.close());
document.addEventListener('focusout', () => {
  if (!isHeldBack) return;
  isDue = true;
  // The next element has the focus by then.
  setTimeout(refresh, 0);
});

async function refresh() {
  if (isAsking || !isDue || page === undefined || main === null) return;
  isAsking = true;
  isDue = false;
  const began = performance.now();
  try {
    // Nobody is signed in any more: the next click says so.
    const answer = await fetch(page, { headers: { accept: 'text/html' }, redirect: 'error' });
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
      if (fresh !== null && take(main, fresh)) say();
    }
  } catch {
    // The next change brings it.
  }
  setTimeout(
    () => {
      isAsking = false;
      void refresh();
    },
    Math.max(REST_MS, performance.now() - began),
  );
}

/**
 * Answers whether something is new on the page.
 *
 * @param {Element} old
 * @param {Element} fresh
 */
function take(old, fresh) {
  const parts = keyed(old);
  let changed = false;
  isHeldBack = false;
  /** @type {Element | null} */
  let before = null;
  for (const [key, part] of keyed(fresh)) {
    const shown = parts.get(key);
    parts.delete(key);
    let kept = shown ?? part;
    if (shown === undefined) changed = true;
    else if (looksOf(shown) !== looksOf(part)) {
      if (isInUse(shown)) isHeldBack = true;
      else {
        keepOpen(shown, part);
        shown.replaceWith(part);
        kept = part;
        changed = true;
      }
    }
    /** @type {Element | null} */
    const place = before === null ? old.firstElementChild : before.nextElementSibling;
    // To be moved, an element leaves the page for a moment, and the focus with it.
    if (place !== kept && !(shown === kept && isInUse(kept))) old.insertBefore(kept, place);
    before = kept;
  }
  for (const part of parts.values()) {
    if (isInUse(part)) isHeldBack = true;
    else {
      part.remove();
      changed = true;
    }
  }
  return changed;
}

/**
 * The parts by what they are, in their order.
 *
 * @param {Element} parent
 */
function keyed(parent) {
  /** @type {Map<string, Element>} */
  const parts = new Map();
  for (const part of parent.children) {
    const name = part.id || part.getAttribute('aria-labelledby') || `${part.tagName}.${part.className}`;
    let key = name;
    for (let n = 2; parts.has(key); n += 1) key = `${name} ${n}`;
    parts.set(key, part);
  }
  return parts;
}

/**
 * Without what differs from answer to answer, and what its reader has opened.
 *
 * @param {Element} part
 */
const looksOf = (part) =>
  part.outerHTML.replaceAll(/(name="key" value=")[^"]*/g, '$1').replaceAll(/(<details[^>]*) open=""/g, '$1');

/** @param {Element} part */
function isInUse(part) {
  if (part.contains(document.activeElement)) return true;
  const fields = [...part.querySelectorAll('input, textarea, select')];
  return fields.some((field) => {
    if (field instanceof HTMLSelectElement)
      return (
        field.selectedIndex !==
        Math.max(
          0,
          [...field.options].findIndex(({ defaultSelected }) => defaultSelected),
        )
      );
    if (field instanceof HTMLTextAreaElement) return field.value !== field.defaultValue;
    if (!(field instanceof HTMLInputElement) || field.type === 'hidden') return false;
    return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
  });
}

/**
 * What a reader has opened stays open.
 *
 * @param {Element} old
 * @param {Element} fresh
 */
function keepOpen(old, fresh) {
  const before = [...old.querySelectorAll('details')];
  for (const [n, details] of [...fresh.querySelectorAll('details')].entries())
    if (before[n]?.open === true && before[n].textContent === details.textContent) details.open = true;
}

/** Tells those who hear the page, and politely. */
function say() {
  if (!(line instanceof HTMLElement)) return;
  const now = new Date().toLocaleTimeString(document.documentElement.lang === 'ar' ? 'ar-AE-u-nu-latn' : 'en-GB');
  line.textContent = `${line.dataset['word']} ${now}`;
}

listen();
