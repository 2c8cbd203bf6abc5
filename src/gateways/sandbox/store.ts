import type { Clock } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { openSandboxFile } from './file.ts';
import { carryOut } from './provider-acts.ts';
import { ADDED, createRecord, type SandboxRecord, SCHEMA, SCHEMA_VERSION } from './record.ts';

/** The sandbox gateway's record, one caller at a time. */
export interface SandboxStore {
  /** Runs alone, in one commit: other processes wait. Effects that fell due meanwhile are there before. */
  alone<T>(work: (record: SandboxRecord) => T): T;
  close(): void;
}

export function openSandboxStore(dir: string, clock: Clock): SandboxStore {
  const file = openSandboxFile(dir, {
    name: 'sandbox-gateway.db',
    version: SCHEMA_VERSION,
    schema: SCHEMA,
    added: ADDED,
    busy: (cause) =>
      new RoomyError('GATEWAY_UNAVAILABLE', { details: { gatewayError: 'GATEWAY_BUSY' }, cause, unsent: true }),
  });
  const record = createRecord(file.query, clock);
  return {
    alone: (work) =>
      file.transaction(() => {
        record.actOnDue();
        for (const planned of record.takePlanned()) carryOut(record, planned, clock.now());
        return work(record);
      }),
    close: () => file.close(),
  };
}
