import { el } from './view.js';

/**
 * @param {string | null} problem why the last code did not do
 * @param {(code: string) => Promise<void>} signIn
 */
export function signInView(problem, signIn) {
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
    el('p', { class: 'soft' }, 'Paste the code that your agency gave you. It stays on this phone until you sign out.'),
    el('label', { class: 'field', for: 'token' }, 'Code'),
    code,
    problem === null ? null : el('p', { id: 'problem', class: 'problem', role: 'alert' }, problem),
    el('p', {}, el('button', { class: 'wide' }, 'Sign in')),
  );
}
