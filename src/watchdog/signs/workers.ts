import type { Db } from '../../db/client.ts';
import { livingProcesses } from '../../domain/incidents/processes.ts';
import type { Sign } from '../sign.ts';

/** Whether each role is served by a worker that is alive. */
export const workerSign = (db: Db, roles: readonly string[]): Sign => ({
  name: 'workers',
  kinds: ['NO_WORKER'],
  async look() {
    const alive = await livingProcesses(db);
    const served = new Set(alive.flatMap((one) => one.roles));
    return roles.filter((role) => !served.has(role)).map((role) => ({ kind: 'NO_WORKER', subject: role }) as const);
  },
});

/** Circuits that are open, in whichever process; the incident is about the other system. */
export const circuitSign = (db: Db): Sign => ({
  name: 'circuits',
  kinds: ['CIRCUIT_OPEN'],
  async look() {
    const since = new Map<string, Date>();
    for (const { circuits } of await livingProcesses(db)) {
      for (const [name, text] of Object.entries(circuits)) {
        const at = new Date(text);
        const known = since.get(name);
        if (!Number.isNaN(at.getTime()) && (known === undefined || at < known)) since.set(name, at);
      }
    }
    return [...since].map(([subject, at]) => ({ kind: 'CIRCUIT_OPEN', subject, since: at }) as const);
  },
});
