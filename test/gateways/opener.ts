import { parentPort, workerData } from 'node:worker_threads';
import { openSandboxFile } from '../../src/gateways/sandbox/file.ts';

/** One of several threads that open each new file in the same moment. */
export interface OpenersShared {
  readonly dirs: readonly string[];
  readonly threads: number;
  /** How many threads have come to a file, over all files. */
  readonly arrived: Int32Array;
}
const { dirs, threads, arrived } = workerData as OpenersShared;

function waitForTheOthers(total: number): void {
  Atomics.add(arrived, 0, 1);
  Atomics.notify(arrived, 0);
  for (let now = Atomics.load(arrived, 0); now < total; now = Atomics.load(arrived, 0)) Atomics.wait(arrived, 0, now);
}

const options = {
  name: 'record.db',
  version: 1,
  schema: 'CREATE TABLE effect (id TEXT);',
  busy: (cause: unknown) => new Error('busy', { cause }),
};
const refusals: string[] = [];
for (const [index, dir] of dirs.entries()) {
  waitForTheOthers(threads * (index + 1));
  try {
    openSandboxFile(dir, options).close();
  } catch (error) {
    refusals.push(String(error));
  }
}
parentPort?.postMessage(refusals);
