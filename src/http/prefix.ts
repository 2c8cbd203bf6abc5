/** The bytes of a 202 are stored without the prefix; its link is what `Location` says. */
export function withPrefixedLinks(prefix: string, text: string): string {
  if (prefix === '') return text;
  const body: unknown = JSON.parse(text);
  const self: unknown = linksOf(body)?.self;
  return typeof self === 'string' ? text.replace(JSON.stringify(self), JSON.stringify(`${prefix}${self}`)) : text;
}

function linksOf(body: unknown): { readonly self?: unknown } | undefined {
  const data: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, 'data') : undefined;
  const links: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, 'links') : undefined;
  return typeof links === 'object' && links !== null ? links : undefined;
}
