import { SIGN_IN_PAGE } from './api.js';
import { el } from './view.js';

/**
 * @param {string | null} problem why the last code did not do, or the session is over
 * @param {((code: string) => Promise<void>) | null} signIn null: nobody signs in with a code here
 * @returns {readonly HTMLElement[]}
 */
export function signInView(problem, signIn) {
  const byMail = el('p', {}, el('a', { class: 'button wide', href: SIGN_IN_PAGE }, 'Sign in by e-mail'));
  if (signIn !== null) return [byMail, codeView(problem, signIn)];
  return problem === null ? [byMail] : [el('p', { class: 'problem', role: 'alert' }, problem), byMail];
}

/**
 * For development only: a token that was printed by a shell.
 *
 * @param {string | null} problem
 * @param {(code: string) => Promise<void>} signIn
 */
function codeView(problem, signIn) {
  const code = el('input', {
    id: 'token',
    name: 'token',
    type: 'password',
    required: true,
    autocomplete: 'off',
    'aria-invalid': problem !== null && 'true',
    'aria-describedby': problem !== null && 'problem',
  });
  return el(
    'form',
    {
      class: 'signin',
      onsubmit: (event) => {
        event.preventDefault();
        return signIn(code.value.trim());
      },
    },
    el('p', { class: 'soft' }, 'Or, in development only: paste a token. It stays on this phone until you sign out.'),
    el('label', { class: 'field', for: 'token' }, 'Code'),
    code,
    problem === null ? null : el('p', { id: 'problem', class: 'problem', role: 'alert' }, problem),
    el('p', {}, el('button', { class: 'wide' }, 'Sign in')),
  );
}
