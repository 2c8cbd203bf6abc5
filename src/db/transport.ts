import pg from 'pg';

/** Hosts that are this machine: what goes to them passes no network. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i;

export const isThisMachine = (host: string): boolean => LOOPBACK.test(host);

/**
 * Whether what is said to a Postgres goes over a network in the clear. Asked of the driver itself, which alone knows what it
 * makes of `sslmode`, `ssl`, `host` and PGSSLMODE; no connection is made. Throws what the driver throws for an address that it
 * cannot use, such as a certificate file that is not there.
 */
export function isPlaintextToElsewhere(databaseUrl: string): boolean {
  const { host, ssl } = new pg.Client({ connectionString: databaseUrl });
  const isSocket = host === '' || host.startsWith('/');
  return !ssl && !isSocket && !isThisMachine(host);
}
