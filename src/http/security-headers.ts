/** Of every answer, as long as it has no other value (security.md H1). */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
  // Browsers heed it over TLS only, so it is right everywhere.
  'Strict-Transport-Security': 'max-age=31536000',
};
