import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** Postgres refuses to run as root. Who runs it instead, when we are root. */
export interface Account {
  readonly own: (file: string) => void;
  readonly uid?: number;
  readonly gid?: number;
  /** Command that changes the account itself, put in front; set when files must be reached through closed directories. */
  readonly prefix?: readonly string[];
}

/**
 * The account for a Postgres cluster: ourselves, unless we are root. Then the owner of the cluster that exists, else
 * `postgres`, else `nobody`. Throws with advice when none of them can reach the files.
 */
export function unprivilegedAccount(cluster: string, program: string): Account {
  if (process.getuid?.() !== 0) {
    refuseForeign(cluster);
    return { own: () => {} };
  }
  const { uid, gid } = ownerOf(cluster) ??
    passwordEntry('postgres') ??
    passwordEntry('nobody') ?? { uid: 65534, gid: 65534 };
  const own = (file: string) => fs.chownSync(file, uid, gid);
  const plain: Account = { own, uid, gid };
  const below = path.dirname(cluster);
  if (canReach(plain, below, program)) return plain;

  // A checkout below /root or another closed directory: keep the one privilege of walking through directories.
  // Without the securebit, access(2) would ignore it.
  for (const capability of ['dac_read_search', 'dac_override']) {
    const prefix = [
      ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'],
      ...['--securebits', '+no_setuid_fixup', `--inh-caps=+${capability}`, `--ambient-caps=+${capability}`, '--'],
    ];
    if (canReach({ own, prefix }, below, program)) return { own, prefix };
  }
  throw new Error(
    `Postgres does not run as root, and the account with uid ${uid} cannot reach ${below} or ${program}. ` +
      'Run as another user, move the checkout out of the closed directory (and set ROOMY_DATA_DIR), or set DATABASE_URL.',
  );
}

/** The command line and spawn options which run `command` in that account. */
export function inAccount(
  { uid, gid, prefix }: Account,
  command: string,
  args: readonly string[],
): readonly [command: string, args: readonly string[], options: { readonly uid?: number; readonly gid?: number }] {
  const [first, ...rest] = [...(prefix ?? []), command, ...args];
  return [first ?? command, rest, { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) }];
}

function canReach(account: Account, directory: string, program: string): boolean {
  const script = 'cd "$1" && "$2" -V && test -r "$3"';
  const share = path.join(path.dirname(program), '../share/postgresql/postgres.bki');
  const [command, args, options] = inAccount(account, '/bin/sh', ['-c', script, 'sh', directory, program, share]);
  return spawnSync(command, args, { ...options, cwd: '/', stdio: 'ignore' }).status === 0;
}

function refuseForeign(cluster: string): void {
  const owner = ownerOf(cluster);
  if (owner === undefined || owner.uid === process.getuid?.()) return;
  throw new Error(
    `${cluster} belongs to another user (uid ${owner.uid}), perhaps from a run as root. ` +
      'Delete it as that user, or choose another ROOMY_DATA_DIR.',
  );
}

function ownerOf(directory: string): { readonly uid: number; readonly gid: number } | undefined {
  const stat = fs.statSync(directory, { throwIfNoEntry: false });
  return stat === undefined || (stat.uid === 0 && process.getuid?.() === 0)
    ? undefined
    : { uid: stat.uid, gid: stat.gid };
}

function passwordEntry(name: string): { readonly uid: number; readonly gid: number } | undefined {
  const line = fs
    .readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid && gid && Number(uid) > 0 ? { uid: Number(uid), gid: Number(gid) } : undefined;
}
