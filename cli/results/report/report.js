'use strict';
(() => {
  const page = JSON.parse(document.getElementById('data').textContent);
  const results = page.results;
  const SVG = 'http://www.w3.org/2000/svg';
  const WIDTH = 560, HEIGHT = 320, LEFT = 52, RIGHT = 104, TOP = 12, BOTTOM = 40;
  const COLORS = 8, LABEL = 12;

  const known = (value) => typeof value === 'number' && Number.isFinite(value);
  /* No number where one of them is none: a seed that diverged is not passed over. */
  const mean = (values) => values.length && values.every(known) ? values.reduce((sum, v) => sum + v, 0) / values.length : NaN;
  /* Of the mean: the standard deviation of the values over the root of their number. */
  const standardError = (values) => {
    const m = mean(values), n = values.length;
    return n > 1 ? Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (n - 1) / n) : 0;
  };
  const words = (name) => name.replace(/_/g, ' ');
  const isShare = (name) => name.endsWith('_error');
  const plainFormat = (value, name) => isShare(name) ? (100 * value).toFixed(2) : Math.abs(value) < 100 ? value.toFixed(4) : value.toPrecision(6);
  const format = (value, name) => !known(value) ? '–' : plainFormat(value, name) + (isShare(name) ? ' %' : '');
  const count = (value) => known(value) ? Math.round(value).toLocaleString('en-US') : '–';
  const fixed = (value, digits) => known(value) ? value.toFixed(digits) : '–';

  function element(tag, parent, text, attributes) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    if (parent) parent.append(made);
    return made;
  }
  function shape(tag, parent, attributes, text) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  const nameOf = (run) => run.name || run.algorithm;
  const paint = (index) => `var(--c${index % COLORS})`;

  /* Runs of one name and number of workers, over its seeds, are one series. */
  function collectSeries() {
    const series = [];
    for (const run of results.runs) {
      const name = nameOf(run) + '@' + run.workers;
      let found = series.find((s) => s.name === name);
      if (!found) {
        found = { name, runs: [], color: paint(series.length), index: series.length, shown: true };
        series.push(found);
      }
      found.runs.push(run);
    }
    /* A run that failed half-way must not count beside complete ones. */
    for (const one of series) {
      const good = one.runs.filter((run) => run.failure === undefined);
      if (good.length) one.runs = good;
    }
    return series;
  }
  const series = collectSeries();

  function metricNames() {
    const names = new Set();
    for (const run of results.runs) for (const name of Object.keys(run.metrics || {})) names.add(name);
    return [...names];
  }
  const metrics = metricNames();
  const mainMetric = metrics.includes('test_error') ? 'test_error' : metrics.find(isShare) || metrics[0];

  /* What a run came to; none where it diverged, whatever weights that are no numbers were evaluated to. */
  const metricOf = (run, name) => run.diverged ? NaN : (run.metrics || {})[name];
  const lossOf = (run) => run.diverged ? NaN : run.train_loss;

  const valueOf = (point, name) => name === 'train_loss' ? point.train_loss : (point.metrics || {})[name];

  /* Whether the weights at a point of a run's curve were still numbers. */
  const isSound = (run, point) => !run.diverged || (known(point.train_loss) && Object.values(point.metrics || {}).every(known));

  /* Mean and range over the seeds, point by point. It ends where one of them has diverged: the others would flatter it. */
  function curveOf(one, name, xName) {
    const longest = Math.max(...one.runs.map((run) => run.curve.length));
    const points = [];
    for (let i = 0; i < longest; i++) {
      const sound = one.runs.filter((run) => run.curve[i] && isSound(run, run.curve[i]));
      const here = sound.map((run) => run.curve[i]).filter((p) => known(p[xName]) && known(valueOf(p, name)));
      if (here.length < one.runs.length) continue;
      const values = here.map((p) => valueOf(p, name));
      points.push({ x: mean(here.map((p) => p[xName])), y: mean(values), low: Math.min(...values), high: Math.max(...values) });
    }
    return points;
  }

  function niceTicks(low, high, wanted, least) {
    const span = high - low || Math.abs(high) || 1;
    const raw = Math.max(span / wanted, least || 0);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= raw);
    const ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i++) ticks.push(i * step);
    return { ticks, step };
  }

  /* A diverged run must not flatten all others: what lies far above the bulk is cut off. */
  function rangeOf(curves) {
    const values = curves.flatMap((c) => c.points.flatMap((p) => [p.low, p.high])).sort((a, b) => a - b);
    if (!values.length) return null;
    const bulk = values[Math.floor(0.75 * (values.length - 1))];
    const low = values[0];
    const high = Math.min(values[values.length - 1], low + 5 * Math.max(bulk - low, 1e-12) + 1e-12);
    const pad = 0.06 * (high - low) || 0.05 * Math.abs(high) || 1;
    return { low: Math.max(low - pad, low >= 0 ? 0 : -Infinity), high: high + pad };
  }

  const MARKS = [
    (x, y) => `M${x - 3.5} ${y}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z`,
    (x, y) => `M${x - 3.2} ${y - 3.2}h6.4v6.4h-6.4z`,
    (x, y) => `M${x} ${y - 4.2}l4.2 7.4h-8.4z`,
    (x, y) => `M${x} ${y - 4.6}l4.6 4.6l-4.6 4.6l-4.6 -4.6z`,
    (x, y) => `M${x} ${y + 4.2}l4.2 -7.4h-8.4z`,
  ];
  const markOf = (one, x, y) => MARKS[one.index % MARKS.length](x, y);

  function swatch(parent, one) {
    const svg = shape('svg', parent, { viewBox: '0 0 18 12', width: 18, height: 12, 'aria-hidden': 'true' });
    shape('path', svg, { d: 'M0 6h18', stroke: one.color, 'stroke-width': 2 });
    shape('path', svg, { d: markOf(one, 9, 6), fill: one.color });
  }

  /* Moves labels apart so that none covers another, keeping their order. */
  function settleLabels(labels) {
    labels.sort((a, b) => a.y - b.y);
    for (let i = 1; i < labels.length; i++) labels[i].y = Math.max(labels[i].y, labels[i - 1].y + 14);
    const over = labels.length ? labels[labels.length - 1].y - (HEIGHT - BOTTOM) : 0;
    if (over > 0) {
      labels[labels.length - 1].y -= over;
      for (let i = labels.length - 2; i >= 0; i--) labels[i].y = Math.min(labels[i].y, labels[i + 1].y - 14);
    }
  }

  /* Decimals that tell multiples of a step apart: 2 for 0.25. */
  function digitsOf(step) {
    let digits = 0;
    while (digits < 9 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits++;
    return digits;
  }

  function drawAxes(svg, plot) {
    for (const tick of plot.yTicks.ticks) {
      const y = plot.y(tick);
      shape('line', svg, { class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y });
      const digits = digitsOf(plot.yTicks.step * (plot.share ? 100 : 1));
      shape('text', svg, { x: LEFT - 8, y: y + 4, 'text-anchor': 'end' },
        plot.share ? (100 * tick).toFixed(digits) + ' %' : tick.toFixed(digits));
    }
    for (const tick of plot.xTicks.ticks) {
      const x = plot.x(tick);
      shape('line', svg, { class: 'axis', x1: x, x2: x, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 5 });
      shape('text', svg, { x, y: HEIGHT - BOTTOM + 18, 'text-anchor': 'middle' }, String(+tick.toPrecision(6)));
    }
    shape('line', svg, { class: 'axis', x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM });
    shape('text', svg, { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, 'text-anchor': 'middle' }, plot.xLabel);
  }

  function drawCurve(svg, plot, curve, clip) {
    const { one, points } = curve;
    const group = shape('g', svg, { 'clip-path': `url(#${clip})` });
    if (points.some((p) => p.high > p.low)) {
      const upper = points.map((p) => `${plot.x(p.x)} ${plot.y(p.high)}`);
      const lower = points.map((p) => `${plot.x(p.x)} ${plot.y(p.low)}`).reverse();
      shape('path', group, { d: 'M' + upper.concat(lower).join('L') + 'Z', fill: one.color, opacity: 0.14 });
    }
    shape('path', group, { d: 'M' + points.map((p) => `${plot.x(p.x)} ${plot.y(p.y)}`).join('L'), fill: 'none', stroke: one.color,
      'stroke-width': 2, 'stroke-linejoin': 'round' });
    if (points.length <= 40) {
      for (const p of points) shape('path', group, { d: markOf(one, plot.x(p.x), plot.y(p.y)), fill: one.color });
    }
  }

  /* None where there is no room for all: the legend above and the tip name them, too. */
  function drawLabels(svg, plot, curves) {
    if (14 * (curves.length - 1) > HEIGHT - TOP - BOTTOM) return;
    const labels = curves.map(({ one, points }) => {
      const last = points[points.length - 1];
      const y = Math.min(Math.max(plot.y(last.y), TOP + 6), HEIGHT - BOTTOM);
      return { one, x: plot.x(last.x), y, from: y };
    });
    settleLabels(labels);
    for (const label of labels) {
      shape('path', svg, { class: 'lead', d: `M${label.x + 6} ${label.from}L${WIDTH - RIGHT + 5} ${label.y}`, stroke: label.one.color, fill: 'none' });
      const name = label.one.name.length > LABEL ? label.one.name.slice(0, LABEL - 1) + '…' : label.one.name;
      shape('text', svg, { class: 'end', x: WIDTH - RIGHT + 8, y: label.y + 4, style: `fill:${label.one.color}` }, name);
    }
  }

  const tip = document.getElementById('tip');
  function showTip(event, plot, curves, cross) {
    const box = plot.svg.getBoundingClientRect();
    const at = plot.back((event.clientX - box.left) * WIDTH / box.width);
    const rows = curves.map(({ one, points }) => ({ one, p: points.reduce((a, b) => Math.abs(b.x - at) < Math.abs(a.x - at) ? b : a) }));
    rows.sort((a, b) => a.p.y - b.p.y);
    tip.replaceChildren();
    element('b', tip, `${plot.xLabel}: ${+at.toPrecision(3)}`);
    for (const { one, p } of rows) {
      const row = element('div', tip);
      element('i', row, '', { style: `background:${one.color}` });
      element('span', row, one.name);
      element('span', row, format(p.y, plot.name));
    }
    tip.hidden = false;
    const left = event.clientX + 16 + tip.offsetWidth > innerWidth ? event.clientX - 16 - tip.offsetWidth : event.clientX + 16;
    tip.style.left = Math.max(4, left) + 'px';
    tip.style.top = Math.min(event.clientY + 12, innerHeight - tip.offsetHeight - 4) + 'px';
    cross.setAttribute('x1', plot.x(at));
    cross.setAttribute('x2', plot.x(at));
    cross.setAttribute('visibility', 'visible');
  }

  function listen(plot, curves) {
    const cross = shape('line', plot.svg, { class: 'cross', y1: TOP, y2: HEIGHT - BOTTOM, visibility: 'hidden' });
    const area = shape('rect', plot.svg, { x: LEFT, y: TOP, width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM, fill: 'transparent' });
    area.addEventListener('pointermove', (event) => showTip(event, plot, curves, cross));
    area.addEventListener('pointerleave', () => { tip.hidden = true; cross.setAttribute('visibility', 'hidden'); });
  }

  /* 1, 2, 5, 10, … within a range. */
  function logTicks(low, high) {
    const ticks = [];
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) {
      for (const f of [1, 2, 5]) if (f * power >= low * (1 - 1e-9) && f * power <= high * (1 + 1e-9)) ticks.push(f * power);
    }
    return { ticks };
  }

  /* Scales of a figure { name, xLabel, curves, all, xLow?, xLeast?, xLog?, xTicks?, whole? }: `curves` are shown, `all` decide how wide it is; a whole one begins at zero and cuts
   * nothing off. */
  function plotOf(svg, figure) {
    const range = figure.whole ? { low: 0, high: 1.06 * Math.max(...figure.curves.flatMap((c) => c.points.map((p) => p.high))) } : rangeOf(figure.curves);
    const xs = figure.all.flatMap((c) => c.points.map((p) => p.x));
    const xHigh = Math.max(...xs), xLow = figure.xLow === undefined ? Math.min(...xs) : figure.xLow;
    const width = WIDTH - LEFT - RIGHT, height = HEIGHT - TOP - BOTTOM;
    const to = figure.xLog ? Math.log : (v) => v, from = figure.xLog ? Math.exp : (v) => v;
    const xSpan = to(xHigh) - to(xLow) || 1, ySpan = range.high - range.low;
    return { svg, name: figure.name, share: isShare(figure.name), xLabel: figure.xLabel,
      x: (v) => +(LEFT + (to(v) - to(xLow)) / xSpan * width).toFixed(2),
      y: (v) => +(TOP + (range.high - v) / ySpan * height).toFixed(2),
      back: (px) => Math.min(Math.max(xLow, from(to(xLow) + (px - LEFT) / width * xSpan)), xHigh),
      xTicks: figure.xTicks ? { ticks: figure.xTicks } : figure.xLog ? logTicks(xLow, xHigh) : niceTicks(xLow, xHigh, 7, figure.xLeast || 0), yTicks: niceTicks(range.low, range.high, 5) };
  }

  let figures = 0;
  function drawFigure(parent, figure) {
    const box = element('figure', parent);
    const caption = element('figcaption', box, figure.title);
    element('span', caption, ' ' + figure.subtitle);
    const svg = shape('svg', box, { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': caption.textContent });
    if (!figure.curves.length) {
      shape('text', svg, { x: WIDTH / 2, y: HEIGHT / 2, 'text-anchor': 'middle' }, figure.all.length ? 'no run is switched on' : 'no figures');
      return;
    }
    const plot = plotOf(svg, figure);
    const clip = 'clip' + figures++;
    shape('rect', shape('clipPath', svg, { id: clip }), { x: LEFT - 5, y: TOP - 5, width: WIDTH - LEFT - RIGHT + 10, height: HEIGHT - TOP - BOTTOM + 10 });
    drawAxes(svg, plot);
    if (figure.line) shape('path', svg, { class: 'ideal', 'clip-path': `url(#${clip})`, d: 'M' + figure.line.map(([x, y]) => `${plot.x(x)} ${plot.y(y)}`).join('L') });
    for (const curve of figure.curves) drawCurve(svg, plot, curve, clip);
    drawLabels(svg, plot, figure.curves);
    listen(plot, figure.curves);
  }

  const shownOf = (all) => all.filter((c) => c.one.shown);
  const titleOf = (name) => name === 'train_loss' ? 'Training loss' : words(name).replace(/^./, (c) => c.toUpperCase());
  const timeLabel = results.virtual ? 'virtual seconds' : 'seconds of training';

  function drawCurves(parent, name, xName) {
    const all = series.map((one) => ({ one, points: curveOf(one, name, xName) })).filter((c) => c.points.length);
    const epochs = xName === 'epoch';
    drawFigure(parent, { title: titleOf(name), subtitle: epochs ? 'over epochs' : 'over time', name, xLabel: epochs ? 'epoch' : timeLabel, curves: shownOf(all), all,
      xLow: epochs ? Math.min(1, ...all.flatMap((c) => c.points.map((p) => p.x))) : 0, xLeast: epochs ? 1 : 0 });
  }

  /* Shares of the updates that were so many updates late, over all seeds. */
  function stalenessOf(one) {
    const counts = new Map();
    for (const run of one.runs) for (const [tau, n] of (run.staleness || {}).histogram || []) counts.set(tau, (counts.get(tau) || 0) + n);
    const total = [...counts.values()].reduce((sum, n) => sum + n, 0);
    return [...counts].sort((a, b) => a[0] - b[0]).map(([x, n]) => ({ x, y: n / total, low: n / total, high: n / total }));
  }

  function drawStaleness(parent) {
    const all = series.map((one) => ({ one, points: stalenessOf(one) })).filter((c) => c.points.length > 1);
    if (!all.length) return;
    drawFigure(parent, { title: 'Staleness', subtitle: 'share of the updates that come so many updates late', name: 'updates', xLabel: 'updates by others meanwhile', curves: shownOf(all), all,
      xLow: 0, xLeast: 1, whole: true });
  }

  /* Mean and standard error of a figure against the number of workers, a curve for each name that has several points. `start`: a series of one worker with which those begin that have none
   * of their own. */
  function againstWorkers(pick, start) {
    const names = [...new Set(results.runs.map(nameOf))];
    const pointOf = (one) => {
      const values = one.runs.map(pick);
      const y = mean(values), error = standardError(values);
      return { x: one.runs[0].workers, y, low: y - error, high: y + error };
    };
    return names.map((name, index) => {
      const points = series.filter((one) => nameOf(one.runs[0]) === name).map(pointOf);
      if (start && points.every((p) => p.x > 1)) points.push(pointOf(start));
      return { one: { name, index, color: paint(index), shown: true }, points: points.filter((p) => known(p.y)).sort((a, b) => a.x - b.x) };
    }).filter((c) => c.points.length > 1);
  }

  function drawScaling(parent) {
    const serial = series.find((one) => one.name === 'sgd@1');
    const speedups = againstWorkers((run) => run.speedup, serial);
    const errors = mainMetric ? againstWorkers((run) => metricOf(run, mainMetric)) : [];
    const counts = (curves) => [...new Set(curves.flatMap((c) => c.points.map((p) => p.x)))];
    const most = Math.max(...counts(speedups));
    if (speedups.length) {
      drawFigure(parent, { title: 'Speed-up', subtitle: 'against workers; dashed: the ideal', name: 'speedup', xLabel: 'workers', curves: speedups, all: speedups, xLow: 0, whole: true,
        xTicks: counts(speedups).filter((n) => n === most || n <= 0.94 * most), line: [[0, 0], [most, most]] });
    }
    if (errors.length) {
      const level = serial ? mean(serial.runs.map((run) => metricOf(run, mainMetric))) : NaN;
      const base = known(level) ? [{ one: serial, points: counts(errors).map((x) => ({ x, y: level, low: level, high: level })) }] : [];
      drawFigure(parent, { title: titleOf(mainMetric), subtitle: 'against workers, with its standard error', name: mainMetric, xLabel: 'workers', curves: base.concat(errors), all: errors, xLog: true,
        xTicks: counts(errors) });
    }
  }

  /* Of a swept run: for each learning rate the best mean over the seeds that any of the other settings reached. */
  function sweepOf(trials, metric) {
    const settings = new Map();
    for (const trial of trials) {
      const key = JSON.stringify(trial.setting);
      const found = settings.get(key) || { rate: trial.setting['learning-rate'], values: [] };
      found.values.push(trial.failure !== undefined ? NaN : metricOf(trial, metric));
      settings.set(key, found);
    }
    const best = new Map();
    for (const { rate, values } of settings.values()) {
      const y = mean(values), error = standardError(values);
      if (known(rate) && known(y) && !(best.has(rate) && best.get(rate).y <= y)) best.set(rate, { x: rate, y, low: y - error, high: y + error });
    }
    return [...best.values()].sort((a, b) => a.x - b.x);
  }

  function drawSweeps(parent) {
    const trials = results.trials || [];
    const found = [...new Set(trials.flatMap((trial) => Object.keys(trial.metrics || {})))];
    const metric = found.find(isShare) || found[0];
    const names = [...new Set(trials.map((trial) => nameOf(trial) + '@' + trial.workers))];
    const curves = names.map((name, index) => ({ one: { name, index, color: paint(index), shown: true },
      points: sweepOf(trials.filter((trial) => nameOf(trial) + '@' + trial.workers === name), metric) })).filter((c) => c.points.length > 1);
    if (!curves.length) return;
    drawFigure(parent, { title: titleOf(metric), subtitle: 'against learning rate, at the best of the other settings', name: metric, xLabel: 'learning rate', curves, all: curves, xLog: true });
  }

  function drawCharts() {
    const parent = document.getElementById('charts');
    parent.replaceChildren();
    const names = (mainMetric ? [mainMetric] : []).concat('train_loss');
    for (const name of names) for (const xName of ['epoch', 'seconds']) drawCurves(parent, name, xName);
    drawStaleness(parent);
    drawScaling(parent);
    drawSweeps(parent);
  }

  function drawLegend() {
    const legend = document.getElementById('legend');
    for (const one of series) {
      const button = element('button', legend, undefined, { type: 'button', 'aria-pressed': 'true', title: 'show or hide; double click: only this one' });
      swatch(button, one);
      button.append(one.name);
      const update = () => { [...legend.children].forEach((b, i) => b.setAttribute('aria-pressed', String(series[i].shown))); drawCharts(); };
      button.addEventListener('click', () => { one.shown = !one.shown; update(); });
      button.addEventListener('dblclick', () => { series.forEach((s) => { s.shown = s === one; }); update(); });
    }
  }

  const percent = (value) => (100 * value).toFixed(0);
  function gapText(gap) {
    if (!gap) return '–';
    if (gap.state === 'no gap' || gap.state === 'no clear gap') return gap.state;
    return `${percent(gap.value)} %` + (known(gap.low) ? ` [${percent(gap.low)}, ${percent(gap.high)}]` : '');
  }
  function targetText(target) {
    if (!target) return '–';
    if (!target.reached) return known(target.short_of) ? '> ' + target.short_of.toFixed(1) : '–';
    if (target.reached < target.of) return `${target.reached} of ${target.of}`;
    return target.mean.toFixed(1) + (known(target.se) ? ' ± ' + target.se.toFixed(1) : '');
  }
  const settingText = (chosen) => Object.entries(chosen ? chosen.setting : {}).map(([name, value]) => `${name} ${value}${chosen.edge.includes(name) ? '*' : ''}`).join(', ') || '–';

  /* What the comparison says of a series as a whole. */
  function rowOf(one) {
    return (results.summary || []).find((row) => row.name === nameOf(one.runs[0]) && row.workers === one.runs[0].workers) || {};
  }

  function wholeColumns() {
    const rows = results.summary || [];
    const columns = [];
    if (rows.some((row) => row.gap_recovered)) columns.push({ label: 'gap recovered', text: (row) => gapText(row.gap_recovered) });
    const target = rows.map((row) => row.seconds_to_target).find((found) => found);
    if (target) columns.push({ label: `s to ${words(target.metric)} ${target.target}`, text: (row) => targetText(row.seconds_to_target) });
    if (rows.some((row) => row.chosen)) columns.push({ label: 'chosen', last: true, text: (row) => settingText(row.chosen) });
    return columns;
  }

  function summaryColumns() {
    const plain = (label, pick, digits, unit) => ({ label, pick, show: (v) => known(v) ? v.toFixed(digits) + (unit || '') : '–' });
    const columns = metrics.map((name) => ({ label: words(name), pick: (run) => metricOf(run, name), show: (v) => format(v, name),
      lowest: isShare(name), spread: true, name }));
    return columns.concat(wholeColumns().filter((column) => !column.last), [
      { label: 'train loss', pick: lossOf, show: (v) => fixed(v, 4) },
      plain('seconds', (run) => run.seconds, 1),
      { label: 'samples/s', pick: (run) => run.samples_per_second, show: count },
      plain('speed-up', (run) => run.speedup, 2, '×'),
      plain('staleness', (run) => run.staleness.mean, 2),
      plain('p99', (run) => run.staleness.p99, 0),
      { label: 'updates', pick: (run) => run.updates, show: count },
    ], wholeColumns().filter((column) => column.last));
  }

  function fillCell(cell, one, column, best) {
    if (column.text) {
      cell.textContent = column.text(rowOf(one));
      return;
    }
    const values = one.runs.map(column.pick);
    let text = column.show(mean(values));
    if (column.spread && values.length > 1 && values.every(known)) {
      text = plainFormat(mean(values), column.name) + ' ± ' + format(standardError(values), column.name);
    }
    cell.textContent = text;
    if (column.lowest && mean(values) === best) cell.className = 'best';
  }

  function summaryNote(columns) {
    const seeds = Math.max(0, ...series.map((one) => one.runs.length));
    const notes = ['Speed-up: samples per second over those of one worker. Staleness: updates by others between a worker\u2019s pull and its push.'];
    if (seeds > 1) notes.push(`Means over ${seeds} seeds, ± standard error; bands in the curves span all seeds.`);
    if (columns.some((column) => column.label === 'gap recovered')) {
      notes.push('Gap recovered: (asgd − this) / (asgd − sgd@1), pairs of the same seed' + (seeds > 1 ? ', with the 95 % interval of Fieller (1954).' : '.'));
    }
    if (columns.some((column) => column.label === 'chosen')) notes.push('Settings were chosen on the validation split; * is at the edge of what was tried.');
    return notes.join(' ');
  }

  function drawSummary() {
    const table = document.getElementById('summary');
    const columns = summaryColumns();
    const head = element('tr', element('thead', table));
    element('th', head, 'run', { scope: 'col' });
    for (const column of columns) element('th', head, column.label, { scope: 'col' });
    const body = element('tbody', table);
    for (const column of columns.filter((one) => one.pick)) {
      const means = series.map((one) => mean(one.runs.map(column.pick))).filter(known);
      column.best = Math.min(...means);
    }
    for (const one of series) {
      const row = element('tr', body);
      swatch(element('td', row), one);
      row.firstChild.append(one.name);
      for (const column of columns) fillCell(element('td', row), one, column, column.best);
    }
    document.getElementById('summary-note').textContent = summaryNote(columns);
  }

  function drawFailures() {
    const list = document.getElementById('failures');
    for (const one of series) {
      const row = rowOf(one), found = (row.metrics || {})[mainMetric];
      if (row.far_apart) {
        element('li', list, `${one.name}: its seeds ended far apart, with a ${words(mainMetric)} from ${plainFormat(found.min, mainMetric)} to ${format(found.max, mainMetric)}, median ${format(found.median, mainMetric)}`);
      }
    }
    for (const run of results.runs) {
      const name = `${nameOf(run)}@${run.workers}, seed ${run.seed}`;
      if (run.failure !== undefined) element('li', list, `${name}, failed: ${run.failure}`);
      if (run.restarts > 0) element('li', list, `${name}: processes that died were started again ${run.restarts} time${run.restarts === 1 ? '' : 's'}`);
      if (run.workers_lost > 0 && run.failure === undefined) element('li', list, `${name}, lost ${run.workers_lost} of its workers and went on without`);
    }
  }

  function drawTexts() {
    const title = results.model + (results.dataset ? ' on ' + results.dataset : '');
    document.title = 'dcps: ' + title;
    document.getElementById('title').textContent = title;
    document.getElementById('subtitle').textContent =
      [`${series.length} ${series.length === 1 ? 'run' : 'runs'}`, results.virtual ? 'virtual time' : null, page.created].filter(Boolean).join(' · ');
    const list = document.getElementById('settings');
    for (const [name, value] of page.settings) {
      const entry = element('div', list);
      element('dt', entry, name);
      element('dd', entry, value);
    }
    document.getElementById('command').textContent = page.command;
  }

  drawTexts();
  drawLegend();
  drawCharts();
  drawSummary();
  drawFailures();
})();
