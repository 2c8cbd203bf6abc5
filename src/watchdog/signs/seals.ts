import type { BrokenSeal } from '../../domain/audit/seals/compare.ts';
import type { SealKeeper } from '../../domain/audit/seals/keeper.ts';
import { BEFORE_ALL } from '../../domain/audit/seals/seal.ts';
import type { Finding } from '../../domain/incidents/findings.ts';
import type { Sign } from '../sign.ts';

/** A row waits for 65 s at the most while all is well, and nothing that writes to the trail takes a minute. */
const LATE_SECONDS = 120;
const SUBJECT = 'audit trail';

/** Seals the audit trail, and tells what is not as it was sealed: until all has been compared once, nothing that was found ends. */
export const sealSign = (keeper: SealKeeper): Sign => ({
  name: 'the seals of the audit trail',
  kinds: ['AUDIT_SEAL_BROKEN', 'AUDIT_UNSEALED'],
  async look() {
    const { broken, newest, isWhole, unsealedSeconds } = await keeper.round();
    return {
      found: [
        ...(broken.length > 0 ? [brokenFinding(broken, newest)] : []),
        ...(unsealedSeconds > LATE_SECONDS ? [{ kind: 'AUDIT_UNSEALED', subject: SUBJECT } as const] : []),
      ],
      checked: isWhole || broken.length > 0 ? ['AUDIT_SEAL_BROKEN', 'AUDIT_UNSEALED'] : ['AUDIT_UNSEALED'],
    };
  },
});

const brokenFinding = (broken: readonly BrokenSeal[], newest: Date | null): Finding => ({
  kind: 'AUDIT_SEAL_BROKEN',
  subject: SUBJECT,
  count: broken.length,
  newest,
  examples: broken.map(({ no, reason, from }) => ({
    id: `${no}`,
    code: reason,
    ...(from === undefined || from === BEFORE_ALL ? {} : { since: from }),
  })),
});
