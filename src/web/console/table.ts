import { html } from 'hono/html';
import type { Html } from '../layout.ts';
import { type Frame, say } from './frame.ts';
import type { Word } from './words-en.ts';

export type Cells = readonly (Html | string | number)[];
/** A table whose cells say on a narrow screen what they are. */
export function table(frame: Frame, columns: readonly Word[], rows: readonly Cells[]): Html {
  const names = columns.map((word) => say(frame, word));
  return html`<table><thead><tr>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map((cells) => html`<tr>${cells.map((cell, index) => html`<td data-label="${names[index] ?? ''}"><span>${cell}</span></td>`)}</tr>`)}</tbody></table>`;
}
