import type { Program } from '../services/package.ts';

/** A machine as `npm start` and `npm test` may find it. Whatever is not said is as on this one, without the programs below. */
export interface Machine {
  readonly name: string;
  readonly group: 'programs' | 'node' | 'account' | 'place' | 'locale' | 'ports' | 'network';
  /** On its PATH beside the tools of this system, by name. */
  readonly programs?: Readonly<Record<string, StandIn>>;
  /** Tools of this system that it lacks. */
  readonly lacks?: readonly string[];
  /** A version of the npm package `node`; default: the one that the project brings. */
  readonly node?: string;
  /** A version of npm; default: this machine's. */
  readonly npm?: string;
  /** A checkout of its own with nothing fetched, and nothing installed either unless said; default: one that many machines share. */
  readonly fresh?: boolean | 'installed';
  /** Name of the folder that its checkout is in. */
  readonly folder?: string;
  readonly account?: 'other';
  readonly home?: 'read-only' | 'unset';
  /** The folder of the checkout can be entered by its owner only. */
  readonly closed?: boolean;
  readonly tmpdir?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Ports where somebody else listens already. */
  readonly taken?: readonly { readonly port: number; readonly host: string }[];
  readonly plays: readonly Play[];
}

/** How a program that a machine has is made: a script, or a link to one of that name in the same folder. */
export type StandIn = (real: RealPrograms) => { readonly script: string } | { readonly link: string };

export interface RealPrograms {
  readonly redis: Program;
  readonly chromium: Program;
}

export interface Play {
  /** `production`: the programs without development dependencies. */
  readonly what: 'start' | 'test' | 'production';
  /** Test files beside those that are always run. */
  readonly files?: readonly string[];
  /** It must end by itself, not be well, and say this. */
  readonly refused?: RegExp;
  /** Must be in what it prints. */
  readonly says?: RegExp;
  /** Without any network but loopback. */
  readonly offline?: boolean;
}
