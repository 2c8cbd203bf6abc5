/**
 * Whether a request was sent by one of our own pages. Browsers say where a request comes from, and no page elsewhere can make
 * them say otherwise. Silence is a refusal: only browsers send cookies, and all that are in use say one of the two.
 * `publicUrl`: where the pages are reached from outside; null: at the address of the request alone.
 */
export function isFromOwnPage(
  header: (name: string) => string | undefined,
  requestUrl: string,
  publicUrl: string | null,
): boolean {
  const site = header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const sent = header('origin');
  if (sent === undefined || !URL.canParse(sent)) return false;
  const { host, origin } = new URL(sent);
  // An address that was configured is known with its scheme: a page of the same host without TLS is not ours.
  if (publicUrl !== null && new URL(publicUrl).host === host) return new URL(publicUrl).origin === origin;
  // The host only: a proxy that ends TLS makes our own scheme differ from the browser's.
  return new URL(requestUrl).host === host;
}
