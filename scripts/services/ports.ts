import net from 'node:net';
import { codeOf } from './process.ts';

export interface WantedPort {
  /** The variable that names another one. */
  readonly name: string;
  readonly standard: number;
  /** What the program listens on. */
  readonly host: string;
}
const STEP = 100;
const ATTEMPTS = 20;

/**
 * The port that `given` names, which must be free: who names one relies on it. Without, the standard one or, when that
 * is taken, the first free one of 100, 200 ... above it. Throws a message that names the variable.
 */
export async function choosePort(
  { name, standard, host }: WantedPort,
  say: (line: string) => void,
  given = process.env[name],
): Promise<number> {
  if (given !== undefined && given !== '') {
    const port = Number(given);
    if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`${name} must be a port number.`);
    if (await isFree(port, host)) return port;
    throw new Error(
      `Port ${port} is already in use. Stop what listens there, or choose another: ${name}=${port + STEP} npm start`,
    );
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = standard + attempt * STEP;
    if (!(await isFree(port, host))) continue;
    if (port !== standard) say(`Port ${standard} is in use: taking ${port} instead (${name} chooses another).`);
    return port;
  }
  throw new Error(
    `Port ${standard} and ${ATTEMPTS - 1} others are already in use. Choose a free one: ${name}=... npm start`,
  );
}

/** On IPv6's loopback too: `localhost` in a printed address may lead there, to somebody else's program. */
async function isFree(port: number, host: string): Promise<boolean> {
  return (await listens(port, host)) && (await listens(port, '::1'));
}

/** A machine without IPv6 has nobody who listens there. */
async function listens(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', (error) => {
      const code = codeOf(error);
      if (code === 'EADDRINUSE') resolve(false);
      else if (host === '::1' && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')) resolve(true);
      else reject(error);
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
