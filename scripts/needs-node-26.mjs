// Loaded with --import before a program in TypeScript: older versions of Node end with ERR_UNKNOWN_FILE_EXTENSION at
// its name, or later at what they lack. `npm start` and `npm test` bring the right one themselves (bootstrap.mjs).

const NEEDED = 26;

if (Number.parseInt(process.versions.node, 10) < NEEDED) {
  console.error(
    `Node ${NEEDED} or newer is needed, this is ${process.version}. (npm ci with the development dependencies brings it.)`,
  );
  process.exit(1);
}
