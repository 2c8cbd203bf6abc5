import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { LABELS, METRICS, type Metric } from '../../src/kernel/telemetry/catalogue.ts';

/** What is measured, and what reads it: rules, dashboard and documents name what there is, and all of it. */

const root = path.join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly annotations: Readonly<Record<string, string>>;
    }[];
  }[];
}
const { groups } = parse(read('deploy/prometheus/roomy.rules.yml')) as Rules;
const rules = groups.flatMap((group) => group.rules);
const tests = (parse(read('deploy/prometheus/roomy.rules.test.yml')) as { tests: { name: string }[] }).tests;
const dashboard = read('deploy/grafana/roomy.json');

/** Names of metrics in a text, as the catalogue has them. */
const namesIn = (text: string): readonly string[] =>
  [...text.matchAll(/\broomy_[a-z_]+/g)].map(([name]) =>
    name in METRICS ? name : name.replace(/_(?:bucket|sum|count)$/, ''),
  );

describe('the rules of alerts', () => {
  it('have a page in the runbook each, and a test', () => {
    const headings = new Set([...read('docs/runbook.md').matchAll(/^### (\w+)$/gm)].map(([, name]) => name));
    expect(rules.length).toBeGreaterThan(10);
    expect(rules.filter(({ alert }) => !headings.has(alert)).map(({ alert }) => alert)).toEqual([]);
    const links = rules.map(({ alert, annotations }) => [alert, annotations['runbook']]);
    expect(links).toEqual(rules.map(({ alert }) => [alert, `docs/runbook.md#${alert.toLowerCase()}`]));
    expect(rules.filter(({ alert }) => !tests.some(({ name }) => name === alert))).toEqual([]);
    expect([...headings].filter((name) => name?.startsWith('Roomy')).toSorted()).toEqual(
      rules.map(({ alert }) => alert).toSorted(),
    );
  });

  it('and the dashboard ask for metrics that there are', () => {
    const asked = [...rules.flatMap(({ expr }) => namesIn(expr)), ...namesIn(dashboard)];
    expect(asked.filter((name) => !(name in METRICS))).toEqual([]);
    // Nothing is measured that nobody can see.
    expect(Object.keys(METRICS).filter((name) => !namesIn(dashboard).includes(name))).toEqual([]);
  });
});

describe('docs/telemetry.md', () => {
  const text = read('docs/telemetry.md');
  const rows = [...text.matchAll(/^\| `(roomy_\w+)` +\| (\w+) +\| ([^|]*?) +\| ([^|]*?) +\|$/gm)].map((row) =>
    row.slice(1),
  );

  it('has a row for every metric, with its type, labels and meaning', () => {
    const wanted = Object.entries<Metric>(METRICS).map(([name, { type, labels, help }]) => {
      return [name, type, labels.map((label) => `\`${label}\``).join(', '), help];
    });
    expect(rows).toEqual(wanted);
  });

  it('says what values each label has', () => {
    const labels = [...text.matchAll(/^\| `(\w+)` +\| ([^|]*?) +\|$/gm)].map((row) => row.slice(1));
    expect(labels).toEqual(Object.entries(LABELS));
  });
});
