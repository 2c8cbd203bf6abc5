import { z } from 'zod';
import { parts } from './gateways/environment.ts';
import { DEFAULT_RETENTION, isKeptKind, type KeptDays, type KeptKind, readKeptDays } from './kernel/retention.ts';

/** The settings of retention (`RETENTION_DAYS`) and of legal holds (`LEGAL_HOLD`). `config.ts` reads the environment. */

const days = z.coerce.number().int().min(1).max(36_500);

export const RETENTION_VARIABLES = {
  EVENT_RETENTION_DAYS: days.default(400),
  ARCHIVE_AFTER_DAYS: days.default(90),
  RETENTION_DAYS: z
    .string()
    .transform((text, context): KeptDays => {
      const known = readKeptDays(text);
      if (known !== null) return known;
      context.addIssue({ code: 'custom', message: 'must be like photos=365,mailbox=30' });
      return z.NEVER;
    })
    .default(DEFAULT_RETENTION),
  LEGAL_HOLD: z
    .string()
    .transform((text, context): ReadonlySet<KeptKind> | 'all' => {
      const names = parts(text);
      if (names.length === 1 && names[0] === 'all') return 'all';
      if (names.every(isKeptKind)) return new Set(names);
      context.addIssue({ code: 'custom', message: 'must be all, or kinds of records, separated by commas' });
      return z.NEVER;
    })
    .default(new Set<KeptKind>()),
};
type Variables = z.output<z.ZodObject<typeof RETENTION_VARIABLES>>;

export interface RetentionSettings {
  readonly archiveAfterDays: number;
  readonly eventRetentionDays: number;
  readonly keptDays: KeptDays;
  /** True: nothing of this kind is deleted now. */
  readonly isHeld: (kind: KeptKind) => boolean;
}

export const retentionSettings = (env: Variables): RetentionSettings => ({
  archiveAfterDays: env.ARCHIVE_AFTER_DAYS,
  eventRetentionDays: env.EVENT_RETENTION_DAYS,
  keptDays: env.RETENTION_DAYS,
  isHeld: (kind) => env.LEGAL_HOLD === 'all' || env.LEGAL_HOLD.has(kind),
});
