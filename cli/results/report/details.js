'use strict';
/* The insides of each run: how stale gradients were, and what workers and shards went through. */
(() => {
  const runs = JSON.parse(document.getElementById('data').textContent).results.runs.filter((run) => run.per_worker && run.per_worker.length);
  const known = (value) => typeof value === 'number' && Number.isFinite(value);
  const fixed = (value, digits) => known(value) ? value.toFixed(digits) : '–';
  const count = (value) => known(value) ? Math.round(value).toLocaleString('en-US') : '–';
  const share = (value) => known(value) ? (100 * value).toFixed(0) + ' %' : '–';
  const time = (seconds) => {
    if (!known(seconds)) return '–';
    if (seconds < 5e-7) return '0';
    return seconds < 9.995e-4 ? (1e6 * seconds).toFixed(0) + ' µs' : seconds < 0.9995 ? (1e3 * seconds).toPrecision(3) + ' ms' : seconds.toPrecision(3) + ' s';
  };
  /* Heading and what a cell shows; with a third, that is figures whose histogram is drawn, and the third shows a value of it. */
  const WORKERS = [
    ['worker', (w) => w.name || String(w.worker)], ['group', (w) => w.group], ['steps', (w) => count(w.steps)],
    ['staleness', (w) => fixed(w.staleness.mean, 2)], ['p99', (w) => count(w.staleness.p99)], ['max', (w) => count(w.staleness.max)],
    ['spread', (w) => w.staleness, count],
    ['waiting', (w) => share(w.wait_share)], ['wait p50', (w) => time(w.wait_seconds.p50)], ['wait p99', (w) => time(w.wait_seconds.p99)],
    ['spread', (w) => w.wait_seconds, time],
    ['held mean', (w) => time(w.held_seconds.mean)], ['held p99', (w) => time(w.held_seconds.p99)], ['spread', (w) => w.held_seconds, time],
    ['dropped', (w) => count(w.dropped)]];
  const SHARDS = [
    ['shard', (s) => String(s.shard)], ['updates', (s) => count(s.updates)], ['staleness', (s) => fixed(s.staleness.mean, 2)],
    ['p99', (s) => count(s.staleness.p99)], ['spread', (s) => s.staleness, count],
    ['held mean', (s) => time(s.held_seconds.mean)], ['held p99', (s) => time(s.held_seconds.p99)], ['spread', (s) => s.held_seconds, time],
    ['queue', (s) => fixed(s.queue.mean, 1)], ['queue max', (s) => count(s.queue.max)], ['backlog', (s) => fixed(s.backlog.mean, 1)],
    ['backlog max', (s) => count(s.backlog.max)], ['dropped', (s) => count(s.pushes.dropped)]];
  const MOST_BARS = 64;
  const SVG = 'http://www.w3.org/2000/svg';

  function fill(made, parent, text, attributes) {
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    parent.append(made);
    return made;
  }
  const element = (tag, parent, text, attributes) => fill(document.createElement(tag), parent, text, attributes);
  const shape = (tag, parent, text, attributes) => fill(document.createElementNS(SVG, tag), parent, text, attributes);

  /* First values of all buckets in which any of the rows has counted something. */
  const firstsOf = (histograms) => [...new Set(histograms.flatMap((histogram) => (histogram || []).map(([first]) => first)))].sort((a, b) => a - b);

  /* A bar for each bucket, on the axis that all rows share. */
  function drawSpread(cell, histogram, firsts, show) {
    if (!histogram) {
      cell.textContent = '–';
      return;
    }
    const counts = new Map(histogram);
    const most = Math.max(...counts.values());
    const total = histogram.reduce((sum, [, n]) => sum + n, 0);
    const svg = shape('svg', cell, undefined, { class: 'spread', viewBox: `0 0 ${firsts.length} 20`, preserveAspectRatio: 'none', role: 'img' });
    const bar = (first, i) => counts.has(first) ? `M${i} 20v${(-Math.max(20 * counts.get(first) / most, 0.5)).toFixed(2)}h0.9V20z` : '';
    shape('title', svg, histogram.map(([first, n]) => `${show(first)}: ${count(n)} (${share(n / total)})`).join('\n'));
    shape('path', svg, undefined, { d: firsts.map(bar).join('') });
  }

  function drawTable(parent, all, rows) {
    const table = element('table', element('div', parent, undefined, { class: 'scroll' }));
    const head = element('tr', element('thead', table));
    const axes = new Map(all.filter(([, , value]) => value).map((column) => [column, firstsOf(rows.map((row) => column[1](row).histogram))]));
    const columns = all.filter((column) => !axes.has(column) || axes.get(column).length > 1);
    for (const [label] of columns) element('th', head, label, { scope: 'col' });
    const body = element('tbody', table);
    for (const one of rows) {
      const row = element('tr', body);
      for (const column of columns) {
        const [, show, value] = column;
        if (value) drawSpread(element('td', row), show(one).histogram, axes.get(column), value);
        else element('td', row, show(one));
      }
    }
  }

  /* A bar for each staleness up to that which few gradients exceed; the last one for these, too. */
  function bars(histogram) {
    const total = histogram.reduce((sum, [, pushes]) => sum + pushes, 0);
    let below = 0;
    const [last] = histogram.find(([, pushes]) => (below += pushes) >= 0.995 * total);
    const counts = new Array(Math.min(last + 2, MOST_BARS)).fill(0);
    for (const [staleness, pushes] of histogram) counts[Math.min(staleness, counts.length - 1)] += pushes;
    return counts;
  }

  function drawStaleness(parent, histogram) {
    if (!histogram || !histogram.length) return;
    const counts = bars(histogram);
    const most = Math.max(...counts);
    const total = counts.reduce((sum, pushes) => sum + pushes, 0);
    const beyond = histogram[histogram.length - 1][0] >= counts.length;
    const chart = element('div', parent, undefined, { class: 'bars', role: 'img', 'aria-label': 'staleness of the gradients applied' });
    counts.forEach((pushes, staleness) => {
      const label = `${staleness}${beyond && staleness === counts.length - 1 ? ' or more' : ''}: ${count(pushes)} (${share(pushes / total)})`;
      element('i', chart, undefined, { style: `height: ${(100 * pushes / most).toFixed(2)}%`, title: label });
    });
    element('p', parent, `Gradients applied by staleness, from 0 to ${counts.length - 1}${beyond ? ' and more' : ''}.`, { class: 'note' });
  }

  function drawRun(parent, run) {
    const inside = element('details', parent);
    element('summary', inside, `${run.name || run.algorithm}@${run.workers}, seed ${run.seed}`);
    drawStaleness(inside, run.staleness.histogram);
    drawTable(inside, WORKERS, run.per_worker);
    drawTable(inside, SHARDS, run.per_shard);
  }

  const section = document.getElementById('details');
  section.hidden = runs.length === 0;
  for (const run of runs) drawRun(section, run);
})();
