/** `/console/files/hx-sse.js`: the package's extension for streams, which registers itself. */
export {};
