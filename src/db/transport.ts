import pg from 'pg';

/** Hosts that are this machine: what goes to them passes no network. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i;

export const isThisMachine = (host: string): boolean => LOOPBACK.test(host);

export type Transport = 'checked' | 'unchecked' | 'clear';

/**
 * How what is said to a Postgres gets there: over TLS to a server whose certificate and name are checked (or over no network at all),
 * to one that is not checked, or in the clear. Asked of the driver itself, which alone knows what it makes of `sslmode`, `ssl`,
 * `host` and PGSSLMODE; no connection is made. Throws what the driver throws for an address that it cannot use, such as a
 * certificate file that is not there.
 */
export function transportTo(databaseUrl: string): Transport {
  // The driver checks all of it under these, too, and warns that it is going to stop; other programs do not check.
  const checked = databaseUrl.replace(/([?&]sslmode=)(?:prefer|require|verify-ca)(?=&|$)/, '$1verify-full');
  const { host, ssl } = new pg.Client({ connectionString: checked });
  if (host === '' || host.startsWith('/') || isThisMachine(host)) return 'checked';
  if (!ssl) return 'clear';
  // Declared as a boolean, and often more than that.
  const options: unknown = ssl;
  const how = typeof options === 'object' && options !== null ? options : {};
  const asks =
    Reflect.get(how, 'rejectUnauthorized') !== false && Reflect.get(how, 'checkServerIdentity') === undefined;
  const mode = URL.parse(databaseUrl)?.searchParams.get('sslmode') ?? 'verify-full';
  return asks && mode === 'verify-full' ? 'checked' : 'unchecked';
}
