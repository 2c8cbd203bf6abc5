import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { keyField } from './acts.ts';
import { codeWords, type Frame, inEnglish, say } from './frame.ts';
import { fact, moment, money, sagaLink, stayLink, taskLink } from './parts.ts';
import type { Word } from './words-en.ts';

/** A question about money to a second person, with the way to say yes or no. */

export interface QuestionView {
  readonly id: string;
  readonly kind: string;
  readonly status: 'PENDING' | 'APPROVED' | 'DECLINED' | 'EXPIRED' | 'WITHDRAWN';
  readonly asked: string;
  readonly amount: number | null;
  readonly currency: string | null;
  readonly subjectType: string;
  readonly subjectId: string;
  readonly sagaExecutionId: string | null;
  readonly reservationId: string | null;
  readonly propertyId: string | null;
  readonly ownerId: string | null;
  readonly askedBy: string;
  readonly askedAt: string;
  readonly expiresAt: string;
  readonly decidedBy: string | null;
  readonly decidedAt: string | null;
  readonly reason: string | null;
}
export interface Question {
  readonly question: QuestionView;
  /** `ASKER`: somebody else has to. */
  readonly may: 'DECIDE' | 'ASKER' | 'NOTHING';
}

/** What became of a question. */
const ENDS: Readonly<Record<Exclude<QuestionView['status'], 'PENDING'>, Word>> = {
  APPROVED: 'wasApproved',
  DECLINED: 'wasDeclined',
  EXPIRED: 'wasExpired',
  WITHDRAWN: 'wasWithdrawn',
};

/** `action`: where the answer is sent. */
export function questionPanel(frame: Frame, action: string, { question, may }: Question): Html {
  const { id, kind, status, asked, amount, currency } = question;
  return html`<section class="panel" aria-labelledby="${id}"><h2 id="${id}">${say(frame, 'question')}: ${codeWords(frame, kind)}</h2>
<p>${inEnglish(asked)}</p>
<dl class="facts">${amount === null || currency === null ? '' : fact(frame, 'amount', money(amount, currency))}
${fact(frame, 'askedBy', html`<bdi>${question.askedBy}</bdi>`)}${fact(frame, 'askedAt', moment(frame, question.askedAt))}
${placesOf(frame, question)}
${status === 'PENDING' ? fact(frame, kind === 'PAYOUT_ACCOUNT' ? 'countsFromAccount' : 'countsFrom', moment(frame, question.expiresAt)) : fact(frame, 'state', endOf(frame, question, ENDS[status]))}</dl>
${status === 'PENDING' ? formOf(frame, action, id, may) : ''}</section>`;
}

function placesOf(
  frame: Frame,
  { reservationId, propertyId, ownerId, subjectType, subjectId, sagaExecutionId }: QuestionView,
): Html {
  return html`${reservationId === null ? '' : fact(frame, 'stay', stayLink(frame, reservationId))}${
    propertyId === null ? '' : fact(frame, 'property', html`<code>${propertyId}</code>`)
  }${ownerId === null ? '' : fact(frame, 'owner', html`<code>${ownerId}</code>`)}${
    subjectType === 'task' ? fact(frame, 'task', taskLink(frame, subjectId, subjectId)) : ''
  }${sagaExecutionId === null ? '' : fact(frame, 'saga', sagaLink(frame, sagaExecutionId, sagaExecutionId))}`;
}

const endOf = (frame: Frame, { decidedBy, decidedAt, reason }: QuestionView, word: Word): Html =>
  html`${say(frame, word)}${decidedBy === null ? '' : html`; ${say(frame, 'decidedBy')} <bdi>${decidedBy}</bdi>`}${
    decidedAt === null ? '' : html` (${moment(frame, decidedAt)})`
  }${reason === null ? '' : html`: <bdi>${reason}</bdi>`}`;

/** A choice before the button: no press of a key says yes by itself. */
function formOf(frame: Frame, action: string, id: string, may: Question['may']): Html {
  if (may === 'NOTHING') return html``;
  if (may === 'ASKER') return html`<p>${say(frame, 'otherDecides')}</p>`;
  return html`<form method="post" action="${action}" class="act">${keyField()}<input type="hidden" name="approval" value="${id}">
<label>${say(frame, 'decision')} <select name="decision" required><option value="">${say(frame, 'choose')}</option><option value="APPROVE">${say(frame, 'approve')}</option><option value="DECLINE">${say(frame, 'decline')}</option></select></label>
<label>${say(frame, 'decideReason')} <input name="reason" required maxlength="500"></label><button class="yes">${say(frame, 'decide')}</button></form>`;
}
