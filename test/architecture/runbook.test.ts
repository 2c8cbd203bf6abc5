import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { INCIDENT_KIND_NAMES } from '../../src/domain/incidents/kinds.ts';
import { TEMPLATES } from '../../src/domain/messages/templates.ts';
import { ALERT_CODES } from '../../src/domain/notifications/alert-codes.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { StepDefinition } from '../../src/engine/step.ts';
import { POLICIES, permits } from '../../src/http/policy.ts';
import { CATALOGUE, required } from '../../src/kernel/errors.ts';
import { definitionOf, SAGA_NAMES } from '../../src/sagas/index.ts';

/** Each alert can be looked up: every list here is taken from the code. */
const root = path.join(import.meta.dirname, '../..');
const runbook = readFileSync(path.join(root, 'docs/runbook.md'), 'utf8');
const headings = new Set([...runbook.matchAll(/^#{2,4} (.+)$/gm)].map(([, text]) => text));
const cells = new Set([...runbook.matchAll(/^\| `([^`]+)`/gm)].map(([, text]) => text));
const missing = (wanted: Iterable<string>, known: ReadonlySet<unknown>): string[] =>
  [...new Set(wanted)].filter((one) => !known.has(one));

const definitions = SAGA_NAMES.map((name) => required(definitionOf(name), name));
/** As `failStep` decides. */
const mayPark = ({ steps }: SagaDefinition, step: StepDefinition): boolean =>
  step.class === 'RETRIABLE' ||
  steps.some((one) => one.class === 'PIVOT' && one.no < step.no) ||
  step.parksOn.length > 0 ||
  step.onExhausted === 'park';

describe('the runbook', () => {
  it('has a heading for every code of an alert that is no error of a step', () => {
    expect(missing(ALERT_CODES, headings)).toEqual([]);
  });

  it('has a heading for every kind of incident', () => {
    expect(missing(INCIDENT_KIND_NAMES, headings)).toEqual([]);
  });

  it('has a heading for every error at which a saga parks, or that no caller can mend', () => {
    const errors = Object.entries(CATALOGUE).filter(([, { kind, status }]) => kind !== 'refusal' || status >= 500);
    const parking = definitions.flatMap(({ steps }) => steps.flatMap(({ parksOn }) => parksOn));
    const undoing = definitions.flatMap(({ steps }) =>
      steps.flatMap(({ compensation }) => (compensation?.kind === 'statement' ? (compensation.onNoRow ?? []) : [])),
    );
    expect(parking).toContain('APPROVAL_REQUIRED');
    expect(undoing).toContain('SUPERSEDED');
    expect(missing([...errors.map(([code]) => code), ...parking, ...undoing], headings)).toEqual([]);
  });

  it('names every step at which a saga can park on its way forward, and no other', () => {
    const parks = definitions.flatMap((definition) =>
      definition.steps.filter((step) => mayPark(definition, step)).map((step) => `${definition.name}.${step.name}`),
    );
    const steps = definitions.flatMap(({ name, steps }) => steps.map((step) => `${name}.${step.name}`));
    expect(parks.length).toBeGreaterThan(10);
    expect(missing(parks, cells)).toEqual([]);
    expect(steps.filter((step) => cells.has(step) && !parks.includes(step))).toEqual([]);
  });

  it('names every text that operations get', () => {
    const texts = Object.entries(TEMPLATES).flatMap(([key, { recipientType }]) =>
      recipientType === 'OPS' ? [key] : [],
    );
    expect(texts.length).toBeGreaterThan(10);
    expect(texts.filter((key) => !runbook.includes(`\`${key}\``))).toEqual([]);
  });

  it('names every reason for which a message is not sent', () => {
    const reasons = ['src/domain/messages', 'src/gateways'].flatMap(reasonsIn);
    expect(reasons).toContain('RENDER_FAILED');
    const named = new Set([...cells].map((cell) => cell?.replace('<code>', '')));
    expect(missing(reasons, named)).toEqual([]);
  });

  it('says which calls about money a token of FINANCE may not make', () => {
    const section = runbook
      .slice(runbook.indexOf('\n## Alerts about money'), runbook.indexOf('\n## Alerts about tasks'))
      .replaceAll(/<[^>]*>/g, 'id');
    const calls = [
      ...section.matchAll(/^(get|post|patch) '?([^'\s#]+)/gm),
      ...section.matchAll(/`(get|post|patch) '?([^'\s`]+)/g),
    ];
    expect(calls.length).toBeGreaterThan(10);
    const refused = calls.flatMap(([, method = '', call = '']) =>
      mayFinance(method, call.replace(/\?.*/, '')) ? [] : [call.split(/[/?]/, 1)[0] ?? ''],
    );
    const [, named = ''] = /`FINANCE` may not read \(403\): ([^.]+)\./.exec(section) ?? [];
    expect(refused).toContain('audit');
    expect(refused.filter((one) => !named.includes(`\`${one}\``))).toEqual([]);
  });

  it('shows the subject of each other mail to operations', () => {
    const rows = [...runbook.matchAll(/^\| `([^`]+)` +\| `([^`]+\.ops@1)`/gm)];
    expect(rows.length).toBeGreaterThan(10);
    const wrong = rows.filter(([, subject = '', key = '']) => {
      const { source } = required(TEMPLATES[key], key);
      return !source.en.subject.startsWith(subject.replace(/ ?\.\.\.$/, ''));
    });
    expect(wrong.map(([line]) => line)).toEqual([]);
  });

  it('names every task that waits for the office', () => {
    const titles = sourcesIn('src').flatMap((text) =>
      [...text.matchAll(/openFinanceTask\(.*?title: '([^']+)'/gs)].map(([, title]) => title ?? ''),
    );
    expect(titles.length).toBeGreaterThan(2);
    expect(titles.filter((title) => !runbook.includes(`"${title}"`))).toEqual([]);
  });
});

/** Whether the policy of an address lets FINANCE in. */
function mayFinance(method: string, call: string): boolean {
  const parts = `/api/production/${call}`.split('/');
  const names = Object.keys(POLICIES).filter((name) => {
    const [verb, pattern = ''] = name.split(' ');
    const wanted = pattern.split('/');
    return (
      verb === method.toUpperCase() &&
      wanted.length === parts.length &&
      wanted.every((part, n) => part === parts[n] || (part.startsWith(':') && !wanted.includes(parts[n] ?? '')))
    );
  });
  const exact = names.find((name) => name.endsWith(` /api/production/${call}`)) ?? names[0];
  const policy = exact === undefined ? undefined : POLICIES[exact];
  if (policy === undefined) throw new Error(`no policy for ${method} ${call}`);
  return policy === 'anonymous' || permits(policy, { kind: 'person', principal: 'finance-1', role: 'FINANCE' });
}

function sourcesIn(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(path.join(root, folder, file), 'utf8'));
}

/** Verdicts and outcomes other than "sent", "skipped" and "wait"; what follows a prefix is another system's own code. */
function reasonsIn(folder: string): string[] {
  const ends = /(?:status: '(?:BLOCKED|FAILED|RETRY)'|permanent: [^,]+|unknown: true), reason: ([^,}]*)/g;
  return sourcesIn(folder).flatMap((text) =>
    [...text.matchAll(ends)].flatMap(([, reason = '']) =>
      [...reason.matchAll(/['`]([A-Z][A-Z_]+)/g)].map(([, code]) => code ?? ''),
    ),
  );
}
