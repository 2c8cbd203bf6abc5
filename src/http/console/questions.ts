import type { Question } from '../../web/console/question-panel.ts';
import { Approval } from '../schemas/approvals.ts';
import { queryOf } from './client.ts';
import { keyIn, type Visit } from './frame.ts';

/** Questions to a second person, on the pages of what waits for the answer: by the routes of the API and their rights. */

const PATH = '/approvals/:id';
const pathOf = (id: string): string => PATH.replace(':id', encodeURIComponent(id));

/** Null: not for this reader. */
export async function questionById(visit: Visit, id: string): Promise<Question | null> {
  return visit.api.may('GET', PATH) ? questionFor(visit, await visit.api.get(pathOf(id), Approval)) : null;
}

/** What a saga waits for; none for a reader whom it does not concern. */
export async function questionsOfSaga(visit: Visit, sagaExecutionId: string): Promise<readonly Question[]> {
  if (!visit.api.may('GET', '/approvals')) return [];
  const query = queryOf({ sagaExecutionId, status: 'PENDING', limit: '10' });
  const { items } = await visit.api.list(`/approvals${query}`, Approval);
  return items.map((question) => questionFor(visit, question));
}

const questionFor = ({ api, session }: Visit, question: Question['question']): Question => {
  if (!api.may('POST', PATH)) return { question, may: 'NOTHING' };
  return { question, may: question.askedBy === session.account.principal ? 'ASKER' : 'DECIDE' };
};

/** Sends what the form says; the API judges it. `isAsked`: whether the question is one of the page. */
export async function decideBy(
  visit: Visit,
  form: URLSearchParams,
  isAsked: (question: Question['question']) => boolean,
): Promise<boolean> {
  const id = form.get('approval') ?? '';
  const found = await questionById(visit, id);
  if (found === null || !isAsked(found.question)) return false;
  const said = { decision: form.get('decision') ?? '', reason: form.get('reason')?.trim() ?? '' };
  await visit.api.act(pathOf(id), said, keyIn(form));
  return true;
}
