import { RoomyError } from '../../kernel/errors.ts';
import { limitOfCaller } from '../../kernel/rate-limits.ts';
import type { Caller } from '../auth.ts';
import type { AppDeps } from '../context.ts';

/** The streams that this process keeps open: so many in all, and of them so many for one caller. */
export interface OpenStreams {
  /** Answers how to give the place back. Throws `TOO_MANY_STREAMS`, and `SERVICE_UNAVAILABLE` when all places are taken. */
  open(caller: Caller): () => void;
}

const MAX_STREAMS = 200;

export function createOpenStreams({ limits }: Pick<AppDeps, 'limits'>): OpenStreams {
  const byPrincipal = new Map<string, number>();
  let all = 0;
  return {
    open(caller) {
      const own = byPrincipal.get(caller.principal) ?? 0;
      if (limits !== undefined && own >= limitOfCaller(limits.numbers, caller, 'streams')) {
        throw new RoomyError('TOO_MANY_STREAMS');
      }
      if (all >= MAX_STREAMS) throw new RoomyError('SERVICE_UNAVAILABLE');
      all += 1;
      byPrincipal.set(caller.principal, own + 1);
      let isOpen = true;
      return () => {
        if (!isOpen) return;
        isOpen = false;
        all -= 1;
        const left = (byPrincipal.get(caller.principal) ?? 1) - 1;
        if (left > 0) byPrincipal.set(caller.principal, left);
        else byPrincipal.delete(caller.principal);
      };
    },
  };
}
