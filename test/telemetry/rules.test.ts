import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';
import { findPromtool } from '../../scripts/services/promtool.ts';

/** The alert rules, by Prometheus' own tool: whether they can be read, and when they raise what. */

const folder = path.join(import.meta.dirname, '../../deploy/prometheus');

it.each([
  ['check', 'roomy.rules.yml'],
  ['test', 'roomy.rules.test.yml'],
])('promtool %s rules is content', { timeout: 400_000 }, async (what, file) => {
  const { command, env } = await findPromtool((line) => console.log(line));
  const { status, stdout, stderr } = spawnSync(command, [what, 'rules', file], {
    env,
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(status, `${stdout}${stderr}`).toBe(0);
  expect(stdout).toContain('SUCCESS');
});
