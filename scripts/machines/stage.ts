import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { copyModules, give, makeCheckout } from './checkout.ts';
import type { Machine, RealPrograms } from './machine.ts';
import { makePath } from './path.ts';
import type { Stage } from './play.ts';

/** Folders, environment and account of a machine. */

/** What must not come from this machine: settings of the project, of other servers, of the place and of the npm that runs us. */
const NOT_PASSED_ON =
  /^(npm_|ROOMY_|PG|LC_|LANG|TZ$|NODE$|NODE_ENV$|NODE_OPTIONS$|INIT_CWD$|PORT$|HOST$|OPS_|DATABASE_URL$|REDIS_URL$|JWT_|SEAL_KEYS$|FIELD_KEYS$|AUDIT_|CHROMIUM_PATH$|VITEST|HOME$|TMPDIR$|CI$)/;
/** How this machine reaches its registry. */
const REGISTRY = /^npm_config_(registry|userconfig|globalconfig|cafile|proxy|https_proxy|noproxy)$/i;
/** Of `nobody` on the systems that have one. */
const OTHER_ACCOUNT = { uid: 65534, gid: 65534 };

export interface Workshop {
  /** Everything that is made for a run is below it; readable for every account. */
  readonly base: string;
  /** The Node and npm versions installed for machines; kept for the next run. */
  readonly installed: string;
  readonly real: RealPrograms;
  /** A checkout with its dependencies, for machines that differ in other things. Made when first asked for. */
  shared(): string;
}

export function makeWorkshop(base: string, installed: string, real: RealPrograms): Workshop {
  let shared: string | undefined;
  return {
    base,
    installed,
    real,
    shared() {
      if (shared === undefined) {
        shared = path.join(base, 'shared', 'roomy');
        makeCheckout(shared);
        copyModules(shared);
      }
      return shared;
    },
  };
}

export function makeStage(machine: Machine, number: number, workshop: Workshop): Stage {
  const folder = path.join(workshop.base, String(number));
  const account = machine.account === 'other' && process.getuid?.() === 0 ? OTHER_ACCOUNT : undefined;
  const home = path.join(folder, 'home');
  const tmp = path.join(folder, machine.tmpdir ?? 'tmp');
  for (const directory of [home, tmp]) fs.mkdirSync(directory, { recursive: true });
  const place = path.join(folder, machine.folder ?? 'place');
  const checkout = machine.fresh ? path.join(place, 'roomy') : workshop.shared();
  if (machine.fresh) makeCheckout(checkout);
  if (machine.fresh === 'installed') copyModules(checkout);
  if (machine.closed) fs.chmodSync(place, 0o700);
  const PATH = makePath(folder, machine, workshop.real, workshop.installed);
  if (account) for (const owned of [tmp, home, place]) give(owned, account.uid, account.gid);
  if (machine.home === 'read-only') {
    if (account) give(home, 0, 0);
    fs.chmodSync(home, 0o555);
  }
  const inherited = Object.entries(process.env).filter(([name]) => !NOT_PASSED_ON.test(name) || REGISTRY.test(name));
  return {
    folder,
    checkout,
    watched: workshop.base,
    env: {
      ...Object.fromEntries(inherited),
      PATH,
      TMPDIR: tmp,
      ...(machine.home === 'unset' ? {} : { HOME: home }),
      ...(machine.fresh ? {} : { ROOMY_DATA_DIR: path.join(folder, 'data') }),
      // Nothing is downloaded again where an account may read what was; the other has no cache yet.
      ...(machine.account === undefined ? { npm_config_cache: cacheOfNpm() } : {}),
      ...machine.env,
    },
    ...(account ? { account } : {}),
  };
}

const cacheOfNpm = (): string => process.env['npm_config_cache'] ?? path.join(os.homedir(), '.npm');
