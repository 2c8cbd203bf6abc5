import type { TimelineEntry } from './timeline.ts';

/** One sentence about an entry, in English, made of what the caller is shown of it: where an amount is hidden, it is not said either. */

type DetailsOf<Kind extends TimelineEntry['kind']> = Extract<TimelineEntry, { readonly kind: Kind }>['details'];

export function sentenceOf(entry: TimelineEntry): string {
  switch (entry.kind) {
    case 'request': {
      const { actor, onBehalfOf, saga } = entry.details;
      return `${actor} asked for ${saga}${onBehalfOf === null ? '' : ` on behalf of ${onBehalfOf}`}.`;
    }
    case 'saga':
      return `${entry.details.name} began.`;
    case 'step':
      return stepSentence(entry.details);
    case 'outcome':
      return outcomeSentence(entry.details);
    case 'reservation': {
      const { createdBy, checkInDate, checkOutDate } = entry.details;
      return `${createdBy} entered the stay from ${checkInDate} to ${checkOutDate}.`;
    }
    case 'state':
      return `The stay became ${entry.details.status}${entry.details.reason === null ? '' : `: ${entry.details.reason}`}.`;
    case 'task':
      return taskSentence(entry.details);
    case 'transaction':
      return transactionSentence(entry.details);
    case 'payment': {
      const { amount, currency, gatewayId, status, errorCode } = entry.details;
      return `A payment of ${amount} ${currency} by ${gatewayId}: ${status}${errorCode === null ? '' : `, ${errorCode}`}.`;
    }
    case 'approval': {
      const { asked, status, askedBy, decidedBy } = entry.details;
      return `${askedBy} asked: ${asked}. ${status}${decidedBy === null ? '' : ` by ${decidedBy}`}.`;
    }
    case 'access':
      return entry.details.change === 'GRANTED'
        ? `The door opens to the guest from ${entry.details.validFrom} to ${entry.details.validUntil}.`
        : 'The door no longer opens to the guest.';
    case 'message':
      return messageSentence(entry.details);
    case 'event':
      return `The event ${entry.details.type} of ${entry.details.resource.id} was written to the feed.`;
    case 'change': {
      const { event, actor } = entry.details;
      return `${actor.id}: ${event}.`;
    }
  }
}

function stepSentence({ name, saga, direction, status, error }: DetailsOf<'step'>): string {
  const code = codeOf(error);
  const why = code === null ? '' : `: ${code}`;
  if (direction === 'compensation')
    return status === 'done'
      ? `${name} of ${saga} was undone.`
      : `The undoing of ${name} of ${saga} is ${status}${why}.`;
  return status === 'failed' ? `${name} of ${saga} failed${why}.` : `${name} of ${saga} is ${status}${why}.`;
}

function outcomeSentence({ saga, status, error }: DetailsOf<'outcome'>): string {
  const why = error === null ? '' : `: ${error.code}`;
  if (status === 'completed') return `${saga} took effect.`;
  return status === 'compensated' ? `${saga} was undone${why}.` : `A person has closed ${saga}${why}.`;
}

function taskSentence({ title, startsAt, status, assigneeId, assignment }: DetailsOf<'task'>): string {
  const explanation = assignment?.explanation ?? null;
  const best = explanation?.candidates.find(({ staffId }) => staffId === assigneeId);
  const others = (explanation?.candidates.length ?? 1) - 1;
  const beside = others > 0 ? ` before ${others} other${others === 1 ? '' : 's'}` : '';
  const why =
    best === undefined || explanation?.chosen !== assigneeId ? '' : `, chosen with a score of ${best.total}${beside}`;
  const whose = assigneeId === null ? '' : ` ${assigneeId} has it${why}.`;
  return `${title}, planned for ${startsAt}: ${status}.${whose}`;
}

function transactionSentence({ type, amount, currency, status, rule }: DetailsOf<'transaction'>): string {
  const share = rule?.percent === null || rule === null ? '' : `${rule.percent} % by `;
  const version = rule?.version == null ? '' : ` of version ${rule.version} of the terms`;
  const taken = type === 'OWNER_PAYOUT' ? ', less fees and what the owner bears' : '';
  const why = rule === null ? '' : `: ${share}${rule.name}${version}${taken}`;
  return `${type} of ${amount} ${currency} is ${status}${why}.`;
}

function messageSentence(message: DetailsOf<'message'>): string {
  const { event, channel, recipientId, recipientType, status, reason, dueAt, dueRule } = message;
  const what = `${event} by ${channel} to ${recipientType} ${recipientId}`;
  const because = reason === null ? '' : `: ${reason}`;
  switch (status) {
    case 'SENT':
    case 'DELIVERED':
      return `${what} was ${status === 'SENT' ? 'sent' : 'delivered'}.`;
    case 'SKIPPED':
    case 'BLOCKED':
    case 'FAILED':
      return `${what} was not sent (${status})${because}.`;
    case 'QUEUED':
    case 'SENDING':
      return `${what} is to go at ${dueAt}${dueRule === null ? '' : `, by the rule ${dueRule}`}${because}.`;
  }
}

const codeOf = (error: unknown): string | null => {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : null;
  return typeof code === 'string' ? code : null;
};
