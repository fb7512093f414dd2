// Runs the scripts of a report page on a document that keeps no more than the scripts need, and prints what the page would show: node report_dom.js PAGE
'use strict';
const page = require('fs').readFileSync(process.argv[2], 'utf8');

class Node {
  constructor(tag) { Object.assign(this, { tag, attributes: {}, children: [], own: '', hidden: false, style: {} }); }
  set textContent(text) { this.own = String(text); this.children = []; }
  get textContent() { return this.own + this.children.map((child) => child.textContent).join(''); }
  get firstChild() { return this.children[0]; }
  setAttribute(name, value) {
    if (/NaN|undefined|Infinity/.test(String(value))) throw new Error(`<${this.tag} ${name}="${value}">`);
    this.attributes[name] = value;
  }
  append(...added) { for (const one of added) this.children.push(typeof one === 'object' ? one : { textContent: String(one), children: [] }); }
  replaceChildren(...added) { this.own = ''; this.children = []; this.append(...added); }
  addEventListener() {}
  all(tag) { return this.children.flatMap((child) => (child.tag === tag ? [child] : []).concat(child.all ? child.all(tag) : [])); }
}

/* Of a cell with bars what one reads of them, and how many there are. */
function cellOf(cell) {
  const paths = cell.all('path');
  return paths.length === 0 ? cell.textContent : { title: cell.textContent, bars: paths[0].attributes.d.split('z').length - 1 };
}

const named = {};
const document = {
  createElement: (tag) => new Node(tag),
  createElementNS: (space, tag) => new Node(tag),
  getElementById: (id) => named[id] || (named[id] = new Node('#' + id)),
};
document.getElementById('data').textContent = page.split('id="data">')[1].split('</script>')[0];
for (const part of page.split('<script>').slice(1)) new Function('document', part.split('</script>')[0])(document);

console.log(JSON.stringify({
  title: named.title.textContent,
  legend: named.legend.children.map((button) => button.textContent),
  figures: named.charts.all('figcaption').map((caption) => caption.textContent),
  paths: named.charts.all('svg').map((svg) => svg.all('g').map((curve) => curve.all('path').length)), // of each curve: its band, its line and its marks
  curves: named.charts.all('svg').map((svg) => svg.all('g').length),
  rows: named.summary.all('tr').map((row) => row.children.map((cell) => cell.textContent)),
  note: named['summary-note'].textContent,
  details: named.details.all('details').map((run) => ({
    title: run.all('summary')[0].textContent,
    bars: run.all('i').length,
    tables: run.all('table').map((table) => table.all('tr').map((row) => row.children.map(cellOf))),
  })),
  failures: named.failures ? named.failures.children.map((item) => item.textContent) : [],
}));
