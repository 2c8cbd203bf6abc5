import type { Db } from '../../db/client.ts';
import { livingProcesses } from '../../domain/incidents/processes.ts';
import { sagasAtCircuits } from '../../engine/read/stuck.ts';
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

/** Circuits that are open, in whichever process; the incident is about the other system, and names who waits for it. */
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
    const waiting = new Map((await sagasAtCircuits(db, [...since.keys()])).map((one) => [one.system, one]));
    return [...since].map(([subject, at]) => {
      const sagas = waiting.get(subject);
      const whose = sagas ? { count: sagas.count, newest: later(at, sagas.newest), examples: sagas.examples } : {};
      return { kind: 'CIRCUIT_OPEN', subject, since: at, ...whose } as const;
    });
  },
});

const later = (one: Date, other: Date): Date => (one > other ? one : other);
