import type { TestProject } from 'vitest/node';
import { findChromium } from '../../scripts/services/chromium.ts';

/** It is looked for, and the first time downloaded, before the tests, whose time is limited. */
export default async function setup(project: TestProject): Promise<void> {
  project.provide('chromium', await findChromium((line) => console.log(line)));
}
