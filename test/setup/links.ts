import { systemClock } from '../../src/kernel/clock.ts';
import { createLinkSeal, type NamedLink } from '../../src/kernel/link-seal.ts';
import { JWT } from '../http/harness.ts';

/** What the address of a question ends with, of the name that the database has of it. */
export const linkTo = (kind: NamedLink, name: string): string =>
  createLinkSeal(JWT.keys, systemClock).sealName(kind, name);
