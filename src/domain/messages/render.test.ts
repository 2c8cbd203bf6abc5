import { describe, expect, it } from 'vitest';
import { parseTemplate, renderHtml, renderText, TemplateError, variablesOf } from './render.ts';

const text = (source: string, values: Record<string, string | null>) => renderText(parseTemplate(source), values);

describe('templates', () => {
  it('puts values where their names are', () => {
    expect(text('Reservation Confirmed - {propertyName}', { propertyName: 'Marina 12' })).toEqual({
      ok: true,
      text: 'Reservation Confirmed - Marina 12',
    });
  });

  it('uses a default for a value that is missing or blank, and only then', () => {
    for (const guestName of [null, '', ' \n\t'])
      expect(text('Dear {guestName|Guest}', { guestName })).toEqual({ ok: true, text: 'Dear Guest' });
    expect(text('Dear {guestName|Guest}', { guestName: 'Ann' })).toEqual({ ok: true, text: 'Dear Ann' });
    // An empty default would print a blank.
    expect(text('Dear {name|}.', {})).toEqual({ ok: false, missing: ['name'] });
  });

  it('encodes a value within an address of its own, and follows only addresses that are safe', () => {
    const link = 'See https://roomy.example/stay/{name}?x={name} and {name}';
    expect(text(link, { name: 'A b&c/../' })).toEqual({
      ok: true,
      text: 'See https://roomy.example/stay/A%20b%26c%2F..%2F?x=A%20b%26c%2F..%2F and A b&c/../',
    });
    expect(text('{pageUrl}', { pageUrl: 'https://roomy.example/a b' })).toEqual({
      ok: true,
      text: 'https://roomy.example/a%20b',
    });
    for (const pageUrl of ['http://roomy.example/', 'javascript:alert(1)', 'roomy.example', 'https://']) {
      expect(text('{pageUrl}', { pageUrl })).toEqual({ ok: false, missing: ['pageUrl'] });
    }
    expect(renderHtml(parseTemplate('{pageUrl}'), { pageUrl: 'https://roomy.example/?a="&b' })).toMatchObject({
      text: expect.stringContaining('<a href="https://roomy.example/?a=%22&amp;b"'),
    });
  });

  it('X3: names every value it cannot do without', () => {
    expect(text('Dear {guestName}, {a} {b}', { a: '1', guestName: ' ', b: null })).toEqual({
      ok: false,
      missing: ['guestName', 'b'],
    });
  });

  it('prints doubled braces once', () => {
    expect(text('{{name}} is {{{name}}}', { name: 'x' })).toEqual({ ok: true, text: '{name} is {x}' });
  });

  it.each(['{', 'a } b', '{a b}', '{1}', '{a', '{a|{b}}', '{__proto__}'])('X3: refuses %s as a template', (source) => {
    expect(() => parseTemplate(source)).toThrow(TemplateError);
  });

  it('X3: finds no inherited property', () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty'])
      expect(text(`{${name}}`, {})).toEqual({ ok: false, missing: [name] });
    expect(variablesOf(parseTemplate('{a}{b|x}{a}'))).toEqual(['a', 'b']);
  });

  it.each([
    '{ownerEmail}',
    '{{7*7}}',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it must not be a template
    '${process.env}',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it must not be a template
    '${x}',
    '$&',
    '$`',
    '$1',
    '{__proto__}',
    '{constructor}',
    '<!--content-->',
  ])('X3: prints a guest named %s literally', (name) => {
    const values = { guestName: name, ownerEmail: 'secret@example.com' };
    expect(text('Dear {guestName}.', values)).toEqual({ ok: true, text: `Dear ${name}.` });
    const html = renderHtml(parseTemplate('Dear {guestName}.'), values);
    expect(html).toMatchObject({ ok: true });
    const escaped = name.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
    expect(html.ok && html.text).toContain(`>Dear ${escaped}.</p>`);
    expect(html.ok && html.text).not.toContain('secret@example.com');
  });

  it('X1: keeps a value on one line, so that it cannot add a header or a line to an SMS', () => {
    const name = 'A\r\nBcc: evil@example.com\u2028\u2029\u0000\u009b2J\u001b[2J\u007f!';
    expect(text('{name}', { name })).toEqual({ ok: true, text: 'A Bcc: evil@example.com 2J [2J !' });
  });

  it('X4: escapes values and its own text for HTML, and makes paragraphs', () => {
    const html = renderHtml(parseTemplate('Fish & {a}\nline\n\nnext'), { a: `<img src=x onerror="x('1')">` });
    expect(html.ok && html.text).toContain(
      'Fish &amp; &lt;img src=x onerror=&quot;x(&#39;1&#39;)&quot;&gt;<br>line</p><p>next</p>',
    );
  });
});
