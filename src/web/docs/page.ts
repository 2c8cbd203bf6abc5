import { html } from 'hono/html';
import type { JsonObject } from '../../kernel/json.ts';
import { documentOf, type Html, STYLE_SHEET } from '../layout.ts';
import { fieldsOf, isObject, listOf, resolveIn, typeOf } from './fields.ts';
import { prose } from './prose.ts';

/**
 * The document as a page: plain HTML made from it once, so that it can be read without scripts, by screen readers, and
 * behind any path. Every address in it is relative. A script of its own only sends requests to try.
 */

type Part = Html | string;
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly operation: JsonObject;
}

export function docsPage(document: JsonObject): Html {
  const info = isObject(document['info']) ? document['info'] : {};
  const tags = listOf(document['tags']);
  const operations = operationsOf(document['paths']);
  const webhooks = operationsOf(document['webhooks']);
  const ofTag = (name: unknown) => operations.filter(({ operation }) => listIncludes(operation['tags'], name));
  return documentOf({
    title: `${info['title']} ${info['version']}`,
    look: 'docs',
    style: { at: STYLE_SHEET },
    isPublic: true,
    body: html`<a class="skip" href="#main">Skip to the content</a>
<header><strong>${info['title']}</strong> <span>${info['version']}</span> <a href="openapi.json">openapi.json</a>
<label for="token">Token to try with</label> <input id="token" type="password" autocomplete="off" spellcheck="false"></header>
<div class="columns"><nav aria-label="Operations">${tags.map(
      (tag) =>
        html`<h2><a href="#${anchor(tag['name'])}">${tag['name']}</a></h2><ul>${ofTag(tag['name']).map(
          ({ operation }) => html`<li><a href="#${operation['operationId']}">${operation['summary']}</a></li>`,
        )}</ul>`,
    )}<h2><a href="#schemas">Schemas</a></h2></nav>
<main id="main"><h1>${info['title']}</h1>${prose(info['description'])}
${tags.map(
  (tag) => html`<section aria-labelledby="${anchor(tag['name'])}"><h2 id="${anchor(tag['name'])}">${tag['name']}</h2>
<p>${tag['description']}</p>${ofTag(tag['name']).map((operation) => operationPart(document, operation))}</section>`,
)}
${webhooks.length === 0 ? '' : html`<section aria-labelledby="calls"><h2 id="calls">What is sent to webhook endpoints</h2>${webhooks.map((hook) => operationPart(document, hook))}</section>`}
<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>${schemasOf(document)}</section>
</main></div><script src="docs/try.js"></script>`,
  });
}

const anchor = (name: unknown): string =>
  `tag-${String(name)
    .toLowerCase()
    .replaceAll(/[^a-z]+/g, '-')}`;
const listIncludes = (list: unknown, value: unknown): boolean => Array.isArray(list) && list.includes(value);

function operationsOf(paths: unknown): readonly Operation[] {
  return Object.entries(isObject(paths) ? paths : {}).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = isObject(item) ? item[method] : undefined;
      return isObject(operation) ? [{ method, path, operation }] : [];
    }),
  );
}

function operationPart(document: JsonObject, { method, path, operation }: Operation): Html {
  const id = String(operation['operationId'] ?? path);
  const parameters = listOf(operation['parameters']).map((parameter) => resolveIn(document, parameter));
  const isHook = !path.startsWith('/');
  return html`<details id="${id}" class="operation"><summary><h3><span class="method ${method}">${method.toUpperCase()}</span> <code>${path}</code> <span class="summary">${operation['summary']}</span></h3></summary>
<div>${prose(operation['description'])}
${parameters.length === 0 ? '' : parameterTable(id, parameters)}
${bodyPart(document, operation['requestBody'])}
<h4>Answers</h4>${answersPart(document, operation['responses'])}
${isHook ? '' : tryForm({ method, path, operation }, parameters)}</div></details>`;
}

const parameterTable = (id: string, parameters: readonly JsonObject[]): Html =>
  html`<h4 id="${id}-parameters">Parameters</h4><div class="wide" tabindex="0" role="group" aria-labelledby="${id}-parameters"><table><thead><tr><th scope="col">Name</th><th scope="col">In</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>${parameters.map(
    (parameter) =>
      html`<tr><th scope="row"><code>${parameter['name']}</code>${parameter['required'] === true ? ' required' : ''}</th><td>${parameter['in']}</td><td>${typeOf(parameter['schema'])}</td><td>${prose(parameter['description'])}</td></tr>`,
  )}</tbody></table></div>`;

function bodyPart(document: JsonObject, declared: unknown): Part {
  if (!isObject(declared)) return '';
  return html`<h4>Body${declared['required'] === true ? '' : ', may be left out'}</h4>${mediaParts(document, declared['content'])}`;
}

const mediaParts = (document: JsonObject, content: unknown): Part[] =>
  Object.entries(isObject(content) ? content : {})
    .filter(([type]) => type !== 'application/problem+json')
    .map(([type, media]) => {
      const { schema, example }: JsonObject = isObject(media) ? media : {};
      return html`<p><code>${type}</code> ${typeOf(schema)}</p>${fieldList(document, schema)}${
        example === undefined ? '' : html`<pre tabindex="0">${shown(example)}</pre>`
      }`;
    });

function fieldList(document: JsonObject, schema: unknown): Part {
  const fields = fieldsOf(document, schema);
  if (fields.length === 0) return '';
  return html`<dl>${fields.map(
    (field) =>
      html`<dt><code>${field.name}</code> <span>${field.type}${field.required ? ', required' : ''}</span></dt><dd>${field.description}</dd>`,
  )}</dl>`;
}

const answersPart = (document: JsonObject, responses: unknown): Html =>
  html`${Object.entries(isObject(responses) ? responses : {}).map(([status, declared]) => {
    const response = resolveIn(document, declared);
    const isGood = status.startsWith('2');
    return html`<div class="answer"><p><strong>${status}</strong></p>${prose(response['description'])}${
      isGood ? mediaParts(document, response['content']) : ''
    }</div>`;
  })}`;

const shown = (example: unknown): string => (typeof example === 'string' ? example : JSON.stringify(example, null, 2));

function tryForm({ method, path, operation }: Operation, parameters: readonly JsonObject[]): Html {
  const id = String(operation['operationId']);
  const body = isObject(operation['requestBody']) ? operation['requestBody'] : {};
  const content = isObject(body['content']) ? body['content'] : {};
  const media = isObject(content['application/json']) ? content['application/json'] : null;
  return html`<h4>Try it</h4><form class="try" data-method="${method}" data-path="${path}">${parameters
    .filter((parameter) => parameter['in'] !== 'header' || parameter['name'] === 'If-Match')
    .map((parameter) => {
      const field = `${id}-${parameter['in']}-${parameter['name']}`;
      return html`<p><label for="${field}">${parameter['name']}</label> <input id="${field}" data-in="${parameter['in']}" name="${parameter['name']}" ${parameter['required'] === true ? 'required' : ''}></p>`;
    })}${
    media === null
      ? ''
      : html`<p><label for="${id}-body">Body</label><textarea id="${id}-body" rows="6" spellcheck="false">${shown(media['example'] ?? {})}</textarea></p>`
  }<button>Send</button><pre role="status" tabindex="0" aria-label="Answer of ${id}"></pre></form>`;
}

function schemasOf(document: JsonObject): Part[] {
  const components = isObject(document['components']) ? document['components'] : {};
  const schemas = isObject(components['schemas']) ? components['schemas'] : {};
  return Object.entries(schemas).map(
    ([name, schema]) =>
      html`<details id="schema-${name}" class="operation"><summary><h3><code>${name}</code></h3></summary><div>${fieldList(document, schema)}</div></details>`,
  );
}
