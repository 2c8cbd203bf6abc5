import type { IncidentExample } from '../../db/schema.ts';
import type { IncidentArea, IncidentKind } from './kinds.ts';

/** What a look has found. Findings of one kind and subject are one incident. */
export interface Finding {
  readonly kind: IncidentKind;
  /** At most 200 characters. */
  readonly subject: string;
  /** How many things stand so; default 1. */
  readonly count?: number;
  /** Default: since it was first found. */
  readonly since?: Date;
  /** When the newest of them came to be one of these; default: `since`. By what is newer than its close an incident begins anew. */
  readonly newest?: Date | null;
  /** Default `ENGINE`. */
  readonly area?: IncidentArea;
  /** The first few. */
  readonly examples?: readonly IncidentExample[];
}

/** It has held for as long as its kind asks. */
export interface RipeFinding extends Finding {
  readonly isRipe: boolean;
  /** Null where the look knows of no time: the watch, which may change hands, has none of its own. */
  readonly newest: Date | null;
}
