import type { Finding } from '../domain/incidents/findings.ts';
import type { IncidentKind } from '../domain/incidents/kinds.ts';

/** One thing that the watchdog looks at. */
export interface Sign {
  /** In the log, and the subject of `WATCHDOG_BLIND`. */
  readonly name: string;
  /** What it may find. */
  readonly kinds: readonly IncidentKind[];
  /** What stands still now. Throws when it cannot be seen. */
  look(): Promise<readonly Finding[]>;
}
