/**
 * The name of the cookie with a session's key. `__Host-` makes browsers take it only over TLS, for every path and for this host
 * alone, so that no other server of the domain can set one.
 */
export const sessionCookie = (isProduction: boolean): string =>
  isProduction ? '__Host-roomy_session' : 'roomy_session';
