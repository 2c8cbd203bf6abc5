import { registerHooks } from 'node:module';

/** Put before a program by a test: answers, over its channel, which packages of OpenTelemetry it has loaded, but for the API without an SDK. */

const loaded = new Set<string>();
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const [, name] = /\/@opentelemetry\/([^/]+)\//.exec(resolved.url) ?? [];
    if (name !== undefined && name !== 'api') loaded.add(name);
    return resolved;
  },
});
process.on('message', () => process.send?.([...loaded].toSorted()));
// The channel alone keeps nothing alive.
process.channel?.unref();
