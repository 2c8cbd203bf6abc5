import type { Messenger, SendOutcome } from '../domain/ports.ts';
import { CircuitOpenError } from '../kernel/errors.ts';
import type { Breakers } from './breaker.ts';

/** A batch of which nothing went through, for no fault of the messages. */
class ChannelDown extends Error {
  override readonly name = 'ChannelDown';
  readonly outcomes: readonly SendOutcome[];
  constructor(outcomes: readonly SendOutcome[]) {
    super('nothing was sent');
    this.outcomes = outcomes;
  }
}

/** A channel behind a circuit: while it is open nothing is sent, and no message uses up an attempt. */
export const withCircuit = (messenger: Messenger, breakers: Breakers, circuit: string): Messenger => ({
  ...messenger,
  async send(messages) {
    try {
      return await breakers.run(circuit, null, async () => {
        const outcomes = await messenger.send(messages);
        if (outcomes.length > 0 && outcomes.every(isDown)) throw new ChannelDown(outcomes);
        return outcomes;
      });
    } catch (error) {
      if (error instanceof ChannelDown) return error.outcomes;
      if (!(error instanceof CircuitOpenError)) throw error;
      const until = error.until;
      return messages.map(() => ({ sent: false, waitUntil: until, reason: 'CIRCUIT_OPEN' }));
    }
  },
});

const isDown = (outcome: SendOutcome): boolean =>
  !outcome.sent && !('waitUntil' in outcome) && !('unknown' in outcome) && !outcome.permanent;
