import { describe, expect, it } from 'vitest';
import { crashesIn } from '../setup/server-crashes.ts';

const LOG = `2026-11-29 17:20:01.000 UTC [10] LOG:  database system is ready to accept connections
2026-11-29 17:20:02.000 UTC [12] roomy@roomy FATAL:  terminating connection due to administrator command
2026-11-29 17:20:03.000 UTC [10] LOG:  client backend (PID 13) was terminated by signal 11: Segmentation fault
2026-11-29 17:20:03.000 UTC [10] DETAIL:  Failed process was running: UPDATE saga s
\t   SET next_check_at = now()
\t WHERE s.id = $1
2026-11-29 17:20:03.000 UTC [10] LOG:  terminating any other active server processes
2026-11-29 17:20:04.000 UTC [10] LOG:  checkpointer process (PID 14) was terminated by signal 6: Aborted
2026-11-29 17:20:05.000 UTC [10] LOG:  client backend (PID 15) was terminated by signal 9: Killed
2026-11-29 17:20:05.000 UTC [10] DETAIL:  Failed process was running: SELECT 1
`;

describe('the look at the log of a server', () => {
  it('finds processes that crashed with what they were running, and none that was killed', () => {
    expect(crashesIn(LOG)).toEqual([
      'client backend (PID 13) was terminated by signal 11: Segmentation fault, running: UPDATE saga s SET next_check_at = now() WHERE s.id = $1',
      'checkpointer process (PID 14) was terminated by signal 6: Aborted',
    ]);
  });

  it('finds none where nothing crashed', () => {
    expect(crashesIn(LOG.split('\n').slice(0, 2).join('\n'))).toEqual([]);
  });
});
