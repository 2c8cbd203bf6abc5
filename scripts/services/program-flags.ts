/**
 * Of Node, for the API and the workers; package.json and the Dockerfile say the same. On a machine with much memory V8 would let
 * what is garbage lie until its heap is several times as large. What lives is some 60 MB; each of these programs stays below 256
 * MB in all (`npm run bench:soak`).
 */
export const PROGRAM_FLAGS = ['--max-semi-space-size=16', '--max-old-space-size=256'] as const;
