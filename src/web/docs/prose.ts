import { html, raw } from 'hono/html';
import { escapeHtml } from '../../domain/messages/mail-frame.ts';

/** The little of Markdown that descriptions of this document use: paragraphs, lists, `code` and **bold**. */
export function prose(text: unknown): ReturnType<typeof html> | string {
  if (typeof text !== 'string' || text === '') return '';
  return html`${text.split('\n\n').map((block) => {
    const lines = block.split('\n');
    if (!lines.every((line) => line.startsWith('- '))) return html`<p>${inline(block)}</p>`;
    return html`<ul>${lines.map((line) => html`<li>${inline(line.slice(2))}</li>`)}</ul>`;
  })}`;
}

const inline = (text: string) =>
  raw(
    escapeHtml(text)
      .replaceAll(/`([^`]+)`/g, '<code>$1</code>')
      .replaceAll(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>'),
  );
