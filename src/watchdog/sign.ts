import type { Finding } from '../domain/incidents/findings.ts';
import type { IncidentKind } from '../domain/incidents/kinds.ts';

/** What was found, where some kinds could not be looked at. */
export interface PartlySeen {
  readonly found: readonly Finding[];
  readonly checked: readonly IncidentKind[];
}

/** One thing that the watchdog looks at. */
export interface Sign {
  /** In the log, and the subject of `WATCHDOG_BLIND`. */
  readonly name: string;
  /** What it may find. */
  readonly kinds: readonly IncidentKind[];
  /** What stands still now, or as much of it as can be seen. Throws when nothing can. */
  look(): Promise<readonly Finding[] | PartlySeen>;
}
