import { html } from 'hono/html';

/** Puts what somebody has typed into a form of a page that was rendered without it. */

export interface TypedForm {
  /** The address that the form is sent to. */
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

const FORM = /<form\b[^>]*>[\s\S]*?<\/form>/g;
const CONTROL = /<input\b[^>]*>|<textarea\b[^>]*>[\s\S]*?<\/textarea>|<select\b[^>]*>[\s\S]*?<\/select>/g;
/** They are of the page, and not typed: a new key, and whether the plan comes first. */
const OF_THE_PAGE: ReadonlySet<string> = new Set(['key', 'plan']);

/** The page as it is, where it has no such form. Of several to one address it is the one with the same hidden fields. */
export function refill(page: string, typed: TypedForm): string {
  for (const match of page.matchAll(FORM)) {
    const [form] = match;
    if (!isThat(form, typed)) continue;
    const filled = form.replaceAll(CONTROL, (control) => fill(control, typed.fields));
    const before = opened(page.slice(0, match.index));
    return `${before}${filled}${page.slice(match.index + form.length)}`;
  }
  return page;
}

function isThat(form: string, { action, fields }: TypedForm): boolean {
  const [tag = ''] = /^<form\b[^>]*>/.exec(form) ?? [];
  if (attributeOf(tag, 'action') !== escaped(action)) return false;
  return [...form.matchAll(CONTROL)].every(([control]) => {
    const name = attributeOf(control, 'name');
    if (attributeOf(control, 'type') !== 'hidden' || name === null || OF_THE_PAGE.has(name)) return true;
    return (attributeOf(control, 'value') ?? '') === escaped(fields[name] ?? '');
  });
}

function fill(control: string, fields: TypedForm['fields']): string {
  const [tag = ''] = /^<[^>]*>/.exec(control) ?? [];
  const name = attributeOf(tag, 'name');
  const type = attributeOf(tag, 'type');
  if (name === null || type === 'hidden') return control;
  const value = Object.hasOwn(fields, name) ? escaped(fields[name] ?? '') : null;
  if (type === 'checkbox' || type === 'radio') {
    const bare = tag.replace(/ checked(?:="[^"]*")?/, '');
    return value !== null && value === (attributeOf(tag, 'value') ?? 'on') ? withAttribute(bare, 'checked') : bare;
  }
  if (value === null || type === 'password') return control;
  if (tag.startsWith('<textarea')) return `${tag}${value}</textarea>`;
  if (!tag.startsWith('<select')) return withAttribute(tag.replace(/ value="[^"]*"/, ''), `value="${value}"`);
  return control
    .replaceAll(/(<option\b[^>]*?) selected(?:="[^"]*")?/g, '$1')
    .replaceAll(/<option\b[^>]*>/g, (option) =>
      attributeOf(option, 'value') === value ? withAttribute(option, 'selected') : option,
    );
}

/** A form in a folded part of the page is shown. */
function opened(before: string): string {
  const at = before.lastIndexOf('<details');
  if (at < 0 || before.includes('</details>', at)) return before;
  return `${before.slice(0, at)}${before.slice(at).replace(/^<details(?![^>]* open)/, '<details open')}`;
}

const attributeOf = (tag: string, name: string): string | null =>
  new RegExp(`^<[^>]*?\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? null;
const withAttribute = (tag: string, attribute: string): string => `${tag.slice(0, -1)} ${attribute}>`;
const escaped = (text: string): string => String(html`${text}`);
