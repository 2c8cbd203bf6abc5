import type { Finding, RipeFinding } from '../domain/incidents/findings.ts';
import { INCIDENT_KINDS } from '../domain/incidents/kinds.ts';

/** Says of findings whether they have held for as long as their kind asks, round after round without a gap. */
export interface Ripening {
  of(findings: readonly Finding[]): readonly RipeFinding[];
  /** What was not found in this round begins anew. */
  endRound(): void;
}

/** `now`: milliseconds of a clock that never steps back. */
export function createRipening(now: () => number): Ripening {
  let before = new Map<string, number>();
  let current = new Map<string, number>();
  return {
    of: (findings) =>
      findings.map((finding) => {
        const key = `${finding.kind} ${finding.subject}`;
        const firstMs = before.get(key) ?? now();
        current.set(key, firstMs);
        const heldMs = now() - firstMs;
        return {
          ...finding,
          newest: finding.newest ?? finding.since ?? null,
          since: finding.since ?? new Date(Date.now() - heldMs),
          isRipe: heldMs >= INCIDENT_KINDS[finding.kind].afterSeconds * 1_000,
        };
      }),
    endRound: () => {
      before = current;
      current = new Map();
    },
  };
}
