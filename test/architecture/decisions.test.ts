import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

/** The pages of `docs/adr`: one form, one page each, and nothing cited that does not exist. */
const root = path.join(import.meta.dirname, '../..');
const folder = path.join(root, 'docs/adr');
const pages = readdirSync(folder)
  .filter((file) => file !== 'README.md')
  .toSorted();
const read = (file: string): string => readFileSync(path.join(folder, file), 'utf8');

const SECTIONS = ['Context', 'Decision', 'Consequences', 'Alternatives', 'Proof'];
const MAX_LINES = 50;

describe('the decisions', () => {
  it('are numbered without a gap and listed by number and title', () => {
    const listed = [...read('README.md').matchAll(/^\d+\. \[.+\]\(.+\)$/gm)].map(([line]) => line);
    const expected = pages.map((file, index) => {
      const title = /^# (\d+)\. (.+)\n/.exec(read(file));
      expect(Number(file.slice(0, 4))).toBe(index + 1);
      return `${title?.[1]}. [${title?.[2]}](${file})`;
    });
    expect(listed).toEqual(expected);
  });

  it.each(pages)('%s has its sections on a page', (file) => {
    const text = read(file);
    expect([...text.matchAll(/^## (.+)$/gm)].map(([, section]) => section)).toEqual(SECTIONS);
    expect(text.split('\n').length).toBeLessThanOrEqual(MAX_LINES);
  });

  it.each(pages)('%s cites only what exists', (file) => {
    const text = read(file);
    const scripts = (JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts;
    const files = [...text.matchAll(/`((?:src|test|docs|scripts|bench|migrations)\/[^`]+)`/g)].map(
      ([, name = '']) => name,
    );
    const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, link = '']) => path.join('docs/adr', link));
    expect([...files, ...links].filter((name) => !existsSync(path.join(root, name)))).toEqual([]);
    const commands = [...text.matchAll(/`npm run ([\w:-]+)`/g)].map(([, name = '']) => name);
    expect(commands.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});
