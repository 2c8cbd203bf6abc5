// Draws each table that asks for it: its first column across, its marked columns as lines or bars. What a chart shows
// stands in its table, which is all that there is without this script.
import uPlot from './uplot.js';

const HEIGHT = 240;
/** Of the name of a point on the axis, in pixels. */
const NAME_WIDTH = 110;
/** In seconds. */
const HALF_A_DAY = 43_200;
const STROKES = ['--brand', '--warn'];

/** @param {string} name */
const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

/** @param {HTMLTableElement} table */
function figuresOf(table) {
  const heads = [...table.querySelectorAll('th')];
  const rows = [...table.querySelectorAll('tbody tr')];
  const columns = heads.flatMap((head, at) =>
    head.dataset['drawn'] === undefined ? [] : [{ label: head.textContent ?? '', at }],
  );
  /** @param {Element} row @param {number} at */
  const numberIn = (row, at) => {
    const text = /** @type {HTMLElement | undefined} */ (row.children[at])?.dataset['value'] ?? '';
    return text === '' ? null : Number(text);
  };
  return {
    labels: rows.map((row) => row.querySelector('td')?.textContent ?? ''),
    keys: rows.map((row) => /** @type {HTMLElement} */ (row).dataset['key'] ?? ''),
    series: columns.map(({ label, at }) => ({ label, values: rows.map((row) => numberIn(row, at)) })),
  };
}

/** Days and months follow each other; everything else stands side by side. @param {string | undefined} by */
const isTime = (by) => by === 'day' || by === 'month';

/** A day or a month in seconds, as the scale of time counts. @param {string} key */
const secondsOf = (key) => Date.parse(key.length === 7 ? `${key}-01` : key) / 1_000;

/** @param {HTMLElement} place @param {HTMLTableElement} table @returns {uPlot | null} */
function draw(place, table) {
  const { labels, keys, series } = figuresOf(table);
  const overTime = isTime(table.dataset['by']);
  const across = overTime ? keys.map(secondsOf) : keys.map((_key, at) => at);
  if (across.some(Number.isNaN)) return null;
  const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  const bars = overTime ? undefined : uPlot.paths.bars?.({ size: [0.6, 60] });
  const [first = 0, last = 0] = [across[0], across.at(-1)];
  const beside = overTime ? Math.max((last - first) / 50, HALF_A_DAY) : 0.5;
  // As many names as there is room for.
  const step = Math.ceil(across.length / Math.max(2, Math.floor(place.clientWidth / NAME_WIDTH)));
  const named = across.filter((_at, index) => index % step === 0);
  /** @type {uPlot.Options} */
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    scales: {
      x: { time: false, range: () => [first - beside, last + beside] },
      y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.05 : 1] },
    },
    axes: [
      {
        ...axis,
        splits: () => named,
        values: (_plot, splits) => splits.map((at) => short(labels[across.indexOf(at)] ?? '')),
      },
      axis,
    ],
    // The values stand in the table.
    legend: { live: false },
    series: [
      {},
      ...series.map(({ label }, at) => {
        const stroke = colour(STROKES[at % STROKES.length] ?? '');
        return {
          label,
          stroke,
          width: 2,
          points: { show: overTime && across.length < 40 },
          ...(bars ? { fill: stroke, paths: bars } : {}),
        };
      }),
    ],
  };
  return new uPlot(options, [across, ...series.map(({ values }) => values)], place);
}

const SHORT = 14;
/** @param {string} text */
const short = (text) => (text.length > SHORT ? `${text.slice(0, SHORT - 1)}…` : text);

/** @type {Map<HTMLElement, uPlot>} */
const drawn = new Map();

function drawAll() {
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('.chart'))) {
    const table = document.getElementById(place.dataset['table'] ?? '');
    if (!(table instanceof HTMLTableElement)) continue;
    drawn.get(place)?.destroy();
    place.hidden = false;
    place.setAttribute('role', 'img');
    place.setAttribute('aria-label', place.dataset['label'] ?? '');
    const chart = draw(place, table);
    if (chart) drawn.set(place, chart);
    else place.hidden = true;
  }
}

drawAll();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
addEventListener('resize', () => {
  for (const [place, chart] of drawn) chart.setSize({ width: place.clientWidth, height: HEIGHT });
});
