import htmx from './htmx.js';
import './hx-sse.js';

/**
 * Keeps an open page of the console up to date, with htmx. The server says that something has changed (`#live` hears it); the page
 * asks for itself again, and takes over what is new. What is here is what htmx leaves to a page: a part in which somebody
 * writes is left alone until they are done, what a reader has opened stays open, and a screen reader is told. Without this file
 * the page is as it was when it was opened.
 */

/** Until a stream that was refused is asked for again. */
const AGAIN_MS = 30_000;

const main = document.querySelector('main');
const line = document.querySelector('#live');
/** Something new waits for somebody to be done. */
let isHeldBack = false;
/** What a swap has changed: it tells in turns of its own. */
let isNews = false;
const seen = new MutationObserver(() => {
  isNews = true;
});

/**
 * @param {Element} element
 * @returns {boolean}
 */
const isListening = (element) => element === line;

htmx.registerExtension('roomy-live', {
  // It hears `again` from now on; a stream that is open stays.
  htmx_after_process: () => listen(),
  /**
   * Nobody is signed in any more: the next click says so, and not the form to sign in within a page.
   *
   * @param {Element} _element
   * @param {{ ctx: { request: RequestInit } }} detail
   */
  htmx_config_request: (_element, { ctx }) => {
    ctx.request.redirect = 'error';
  },
  /**
   * Only an answer that is as it should be takes the place of what is there. A browser comes again by itself after a cut, but not
   * after a refusal.
   *
   * @param {Element} element
   * @param {{ ctx: { response: { raw: Response } } }} detail
   */
  htmx_before_response: (element, { ctx: { response } }) => {
    const { ok, headers } = response.raw;
    if (!isListening(element)) return ok;
    if (ok && headers.get('content-type')?.startsWith('text/event-stream') === true) return true;
    setTimeout(listen, AGAIN_MS);
    return false;
  },
  /**
   * The server was not there when the page was opened.
   *
   * @param {Element} element
   */
  htmx_error: (element) => {
    if (isListening(element)) setTimeout(listen, AGAIN_MS);
  },
  /**
   * A part in which somebody is at work, and that the page has no more, stays until they are done, and all around it.
   *
   * @param {Element} _element
   * @param {{ tasks: readonly { fragment?: DocumentFragment }[] }} detail
   */
  htmx_before_swap: (_element, { tasks }) => {
    isHeldBack = false;
    isNews = false;
    const fresh = tasks.flatMap(({ fragment }) => [...(fragment?.querySelectorAll('#main > *') ?? [])].map(nameOf));
    if (partsOf(main).some((part) => isInUse(part) && !fresh.includes(nameOf(part)))) {
      isHeldBack = true;
      return false;
    }
    if (main !== null) seen.observe(main, { subtree: true, childList: true, characterData: true });
  },
  htmx_after_swap: () => {
    if (isNews || seen.takeRecords().length > 0) say();
    seen.disconnect();
  },
  /**
   * @param {Element} part
   */
  htmx_before_morph_node: (part) => {
    if (part.parentElement !== main || !isInUse(part)) return true;
    isHeldBack = true;
    return false;
  },
  /**
   * @param {Element} element
   * @param {{ attrName: string }} attribute
   */
  htmx_before_morph_attr: (element, { attrName }) => !(element instanceof HTMLDetailsElement && attrName === 'open'),
});

document.addEventListener('focusout', () => {
  // The next element has the focus by then.
  if (isHeldBack && line !== null) setTimeout(() => htmx.trigger(line, 'changed'), 0);
});

/** Nobody looks at a page that is opened behind another: it begins when somebody does. */
function listen() {
  if (line !== null && !document.hidden) htmx.trigger(line, 'again');
}
document.addEventListener('visibilitychange', listen);

/**
 * @param {Element | null} parent
 * @returns {readonly Element[]}
 */
const partsOf = (parent) => [...(parent?.children ?? [])];
/**
 * What a part is, whatever stands in it.
 *
 * @param {Element} part
 */
const nameOf = (part) => part.id || part.getAttribute('aria-labelledby') || `${part.tagName}.${part.className}`;

/**
 * Whether somebody writes in a part, or has written, or is about to press a button of it.
 *
 * @param {Element} part
 */
function isInUse(part) {
  if (document.activeElement instanceof HTMLButtonElement && part.contains(document.activeElement)) return true;
  const fields = [...part.querySelectorAll('input, textarea, select')];
  return fields.some((field) => {
    if (field === document.activeElement) return true;
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

/** Tells those who hear the page, and politely. */
function say() {
  if (!(line instanceof HTMLElement)) return;
  const now = new Date().toLocaleTimeString(document.documentElement.lang === 'ar' ? 'ar-AE-u-nu-latn' : 'en-GB');
  line.textContent = `${line.dataset['word']} ${now}`;
}
