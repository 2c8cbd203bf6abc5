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
  /** Default `ENGINE`. */
  readonly area?: IncidentArea;
  /** The first few. */
  readonly examples?: readonly IncidentExample[];
}

/** It has held for as long as its kind asks. */
export interface RipeFinding extends Finding {
  readonly isRipe: boolean;
}
