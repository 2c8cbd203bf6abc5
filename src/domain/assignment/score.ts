/** How well a person who can do a task suits it (domain.md 11): each part is 0 to 1, and more is better. */

export interface ScoreRules {
  /** Percent; they sum to 100. */
  readonly workloadPercent: number;
  readonly proximityPercent: number;
  readonly primaryPercent: number;
  readonly fairnessPercent: number;
  /** A longer way scores no worse than this. */
  readonly maxKm: number;
  /** A full day of those who have no cap. */
  readonly dayMinutes: number;
  /** A person who got no task for so long has the full score for fairness. */
  readonly fairnessHours: number;
}

export interface Standing {
  /** On the day of the task, without it. */
  readonly bookedMinutes: number;
  readonly tasksThatDay: number;
  readonly capMinutes: number | null;
  /** From the task before on that day, or from home; null: not known, which speaks neither for nor against. */
  readonly travelKm: number | null;
  readonly isPrimary: boolean;
  /** Null: never had one. */
  readonly hoursSinceLastJob: number | null;
}

export interface Score {
  readonly workload: number;
  readonly proximity: number;
  readonly primary: number;
  readonly fairness: number;
  readonly total: number;
}

const NEUTRAL = 0.5;
const within = (value: number): number => Math.min(1, Math.max(0, value));
/** Kept in a table that people read; also, equal scores are equal whatever the order of the arithmetic. */
const rounded = (value: number): number => Math.round(value * 10_000) / 10_000;

/** Each part of the score, 0 to 1 with four decimals, and their sum by the weights of the rules. An unknown way counts 0.5. */
export function scoreOf(standing: Standing, rules: ScoreRules): Score {
  const { travelKm, hoursSinceLastJob } = standing;
  const workload = rounded(1 - within(standing.bookedMinutes / (standing.capMinutes ?? rules.dayMinutes)));
  const proximity = rounded(travelKm === null ? NEUTRAL : 1 - within(travelKm / rules.maxKm));
  const primary = standing.isPrimary ? 1 : 0;
  const fairness = rounded(hoursSinceLastJob === null ? 1 : within(hoursSinceLastJob / rules.fairnessHours));
  const total =
    (rules.workloadPercent * workload +
      rules.proximityPercent * proximity +
      rules.primaryPercent * primary +
      rules.fairnessPercent * fairness) /
    100;
  return { workload, proximity, primary, fairness, total: rounded(total) };
}

export interface Scored extends Standing {
  readonly staffId: string;
  readonly score: Score;
}

/** Best first; equals by fewer tasks that day, then by lowest id, so that the order never depends on chance. */
export function compareScored(a: Scored, b: Scored): number {
  if (a.score.total !== b.score.total) return b.score.total - a.score.total;
  if (a.tasksThatDay !== b.tasksThatDay) return a.tasksThatDay - b.tasksThatDay;
  return a.staffId < b.staffId ? -1 : 1;
}
