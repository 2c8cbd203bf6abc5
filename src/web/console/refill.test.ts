import { html } from 'hono/html';
import { describe, expect, it } from 'vitest';
import { refill } from './refill.ts';

/** Every kind of field that a form of ours has. */
const pageWith = (saga: string): string =>
  String(html`<form method="post" action="/console/language" class="act"><input name="reason" value="of another form"></form>
<details class="panel"><summary>Pay</summary><form method="post" action="/console/x/pay" class="act"><input type="hidden" name="key" value="new"><input type="hidden" name="plan" value="first"><input type="hidden" name="sagaId" value="${saga}">
<label>Why <input name="reason" required maxlength="500"></label><input type="number" name="hours" value="5"><textarea name="notes" rows="2">before</textarea>
<select name="bearer"><option value="A" selected>A</option><option value="B">B</option></select><input type="checkbox" name="agreed" value="yes"><input type="checkbox" name="told" checked><input type="password" name="secret"></form></details>`);

const fields = {
  ...{ key: 'old', sagaId: 'saga-1', reason: 'He said "no" <b>& $1', hours: '8', notes: '</textarea><script>' },
  ...{ bearer: 'B', agreed: 'yes', secret: 'x' },
};

describe('a form that is shown again', () => {
  it('has what was typed in every kind of field, and what the page itself gives it', () => {
    const text = refill(pageWith('saga-1'), { action: '/console/x/pay', fields });
    expect(text).toContain('<details open class="panel">');
    expect(text).toContain('name="reason" required maxlength="500" value="He said &quot;no&quot; &lt;b&gt;&amp; $1">');
    expect(text).toContain('name="hours" value="8">');
    expect(text).toContain('&lt;/textarea&gt;&lt;script&gt;</textarea>');
    expect(text).toContain('<option value="A">A</option><option value="B" selected>');
    expect(text).toContain('name="agreed" value="yes" checked>');
    expect(text).toContain('<input type="checkbox" name="told">');
    expect(text).toContain('<input type="password" name="secret">');
    expect(text).toContain('name="key" value="new"');
    expect(text).toContain('value="of another form"');
  });

  it.each([
    ['about something else', { action: '/console/x/pay', fields: { ...fields, sagaId: 'saga-2' } }],
    ['of another address', { action: '/console/x/refund', fields }],
  ])('is not one %s', (_, typed) => {
    expect(refill(pageWith('saga-1'), typed)).toBe(pageWith('saga-1'));
  });
});
