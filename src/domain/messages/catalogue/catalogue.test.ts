import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { REMINDERS } from '../reminder-plan.ts';
import type { Message } from './define.ts';
import { MESSAGES } from './index.ts';

const ALL: readonly Message[] = MESSAGES;
const kebab = (event: string): string => event.toLowerCase().replaceAll('_', '-');
const files = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => file.split(path.sep).join('/'));

describe('every message', () => {
  it.each(ALL.map((message) => [message.event, message] as const))('%s is whole', (event, message) => {
    expect(files(import.meta.dirname)).toContain(`${kebab(event)}.ts`);
    expect(message.cause).toMatch(/^when /);
    const recipients = new Set(Object.keys(message.texts).map((key) => /\.(\w+)@/.exec(key)?.[1]?.toUpperCase()));
    expect([...recipients].toSorted()).toEqual(Object.keys(message.to).toSorted());
    for (const { smsText, savedBefore, asking } of Object.values(message.texts)) {
      for (const key of [smsText, savedBefore, asking?.first, asking?.again]) {
        if (key !== undefined) expect(Object.keys(message.texts)).toContain(key);
      }
    }
    if (message.digest !== undefined) expect(Object.keys(message.texts)).toContain(message.digest);
  });

  it('has an event and keys of its own', () => {
    const events = ALL.map(({ event }) => event);
    const keys = ALL.flatMap(({ texts }) => Object.keys(texts));
    expect(new Set(events).size).toBe(events.length);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('that is a question with a link to its answer, or news about an account, counts apart from the day’s others (Q6)', () => {
    // An offer of a task is asked of the next person when nobody answers, and staff may get fifty a day.
    const isOffer = ({ variables }: Message): boolean => variables.includes('answerUrl');
    const isQuestion = ({ variables }: Message): boolean =>
      variables.some((name) => ['approvalUrl', 'signInUrl', 'invitationUrl'].includes(name));
    const isNews = ({ event }: Message): boolean => /ACCOUNT|SIGN_IN|APPROVAL/.test(event);
    const must = ALL.filter((message) => !isOffer(message) && (isQuestion(message) || isNews(message)));
    expect(must.map(({ event }) => event).toSorted()).toEqual([
      'ACCOUNT_EMAIL_CHANGED',
      'ACCOUNT_INVITED',
      'APPROVAL_DECIDED',
      'MAINTENANCE_REQUIRED',
      'PAYOUT_ACCOUNT_CHANGED',
      'SIGN_IN_LINK',
    ]);
    // Links to sign in are bounded by the account, and not counted.
    expect(must.filter(({ countsApart, isBounded }) => !countsApart && !isBounded).map(({ event }) => event)).toEqual(
      [],
    );
  });

  it('that is planned for an hour is in the plan of reminders', () => {
    const planned = ALL.filter(({ isPlanned }) => isPlanned).map(({ event }) => event);
    expect(planned.toSorted()).toEqual([...REMINDERS].toSorted());
  });
});

describe('an event and a text', () => {
  const SRC = path.join(import.meta.dirname, '../../..');
  const sources = files(SRC)
    .filter((file) => !file.startsWith('domain/messages/catalogue/'))
    .map((file) => [file, readFileSync(path.join(SRC, file), 'utf8')] as const);

  it('decide nothing outside the file of the event', () => {
    const names = [...ALL.map(({ event }) => event), ...ALL.flatMap(({ texts }) => Object.keys(texts))].join('|');
    const decides = new RegExp(
      `[=!]==? '(?:${names})'|case '(?:${names})'|\\b(?:n|notification)\\.(?:event|template) (?:=|<>|IN|in) \\(?'|switch \\([^)]*\\b(?:template|event)\\b`,
    );
    const among = ['domain/messages/', 'domain/notifications/', 'domain/stays/forecast.ts'];
    const wrong = sources.filter(([file, text]) => among.some((start) => file.startsWith(start)) && decides.test(text));
    expect(wrong.map(([file]) => file)).toEqual([]);
  });

  it('are named outside of it only where reminders are planned, starts of tasks are compared, and alerts have their texts', () => {
    const named = new RegExp(
      `'(?:${[...ALL.map(({ event }) => event), ...ALL.flatMap(({ texts }) => Object.keys(texts))].join('|')})'`,
    );
    // The reason of a skip has the name of an event.
    const REASON = /(?:reason|CANCELLED): 'RESERVATION_CANCELLED'/g;
    const naming = sources.filter(
      ([file, text]) => /^domain\/(?:messages|notifications)\//.test(file) && named.test(text.replaceAll(REASON, '')),
    );
    expect(naming.map(([file]) => file).toSorted()).toEqual([
      'domain/messages/reminder-plan.ts',
      'domain/messages/variables/task.ts',
      'domain/notifications/alerts.ts',
    ]);
  });
});
