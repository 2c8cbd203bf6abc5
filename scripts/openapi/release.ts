import { writeFile } from 'node:fs/promises';
import { breakingChanges, newRefusals } from './compare.ts';
import { contractOf } from './contract.ts';
import { describeSource } from './describe.ts';
import { ACCEPTED, RELEASED, readObject, textOf } from './files.ts';

/**
 * `npm run openapi:release`, as part of a release: the document as it is becomes the released one, and the list of
 * accepted breaks starts anew. A break that is not in that list stops it.
 */
async function release(): Promise<void> {
  const accepted = await readObject(ACCEPTED);
  const contract = contractOf(describeSource());
  const released = await readObject(RELEASED).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return {};
    throw error;
  });
  const breaks = breakingChanges(released, contract);
  const open = breaks.filter(({ id }) => accepted[id] === undefined);
  if (open.length > 0) {
    console.error(`Not released: these changes break clients and have no reason in docs/openapi/accepted-breaks.json:`);
    for (const { id } of open) console.error(`  ${id}`);
    process.exitCode = 1;
    return;
  }
  await writeFile(RELEASED, textOf(contract));
  await writeFile(ACCEPTED, textOf({}));
  console.log('docs/openapi/released.json is the contract of this source now.');
  if (breaks.length > 0) console.log('For the changelog, what it breaks:');
  for (const { id } of breaks) console.log(`  ${id}: ${String(accepted[id])}`);
  const refusals = newRefusals(released, contract);
  if (refusals.length > 0) console.log('For the changelog, refusals that are new:');
  for (const refusal of refusals) console.log(`  ${refusal}`);
}

await release();
