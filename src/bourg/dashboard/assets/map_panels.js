// Around the map: figures of the visible area, list by type, table of places, links to the exports.

import { count, make, number } from './map_text.js';

const PAGE = 50;
const MAX_BARS = 12;

// ---- Figures -------------------------------------------------------------------------------------------------------

const PARTS = {
  'patrimoine': () => 'patrimoine',
  'spectacle vivant': () => 'spectacle vivant',
  'autre vivant': (n) => (n > 1 ? 'autres lieux vivants' : 'autre lieu vivant'),
  'non classé': (n) => (n > 1 ? 'non classés' : 'non classé'),
};

/** Count the visible places by type and category. */
export function countVisible(data, visible) {
  const byKind = new Uint32Array(data.header.types.length);
  for (const i of visible) byKind[data.kind[i]] += 1;
  const byCategory = new Uint32Array(data.header.categories.length);
  const byType = new Map();
  data.header.types.forEach((type, kind) => {
    byCategory[type.category] += byKind[kind];
    if (byKind[kind]) byType.set(type.label, (byType.get(type.label) ?? 0) + byKind[kind]);
  });
  return { byCategory, byType };
}

export function sentence(data, visible, { byCategory }, commune, filters = true) {
  const parts = data.header.categories
    .map((name, c) => (byCategory[c] ? `${number(byCategory[c])} ${PARTS[name](byCategory[c])}` : ''))
    .filter(Boolean);
  let text = `${count(visible.length, 'lieu affiché', 'lieux affichés')} sur ${number(data.n)}`;
  if (parts.length) text += `, dont ${parts.join(', ')}`;
  text += '.';
  if (commune) text += ` ${commune.name} : ${count(commune.places, 'lieu', 'lieux')}${filters ? ' avec ces filtres' : ''}.`;
  return text;
}

/** Horizontal bars, largest first; the number is written, the bar only helps the eye. */
export function bars(byType, total) {
  const sorted = [...byType].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0], 'fr'));
  const rest = sorted.slice(MAX_BARS).reduce((sum, item) => sum + item[1], 0);
  const shown = sorted.slice(0, MAX_BARS);
  if (rest) shown.push([sorted.length - MAX_BARS === 1 ? '1 autre type' : `${sorted.length - MAX_BARS} autres types`, rest]);
  const largest = Math.max(1, ...shown.map((item) => item[1]));
  return shown.map(([label, value]) => {
    const bar = make('span', { 'class': 'bar', 'aria-hidden': 'true' });
    bar.style.width = `${(100 * value) / largest}%`;
    const share = total ? `${number(Math.round((1000 * value) / total) / 10)} %` : '';
    return make('li', {},
      make('span', { class: 'bar-label', text: label }),
      make('span', { class: 'bar-value', text: `${number(value)} (${share})` }),
      make('span', { class: 'bar-track' }, bar));
  });
}

// ---- Table of the visible places -----------------------------------------------------------------------------------

const COLUMNS = [['commune', 'Commune'], ['name', 'Nom'], ['type', 'Type'], ['category', 'Catégorie']];

const plain = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

export class PlacesTable {
  constructor(root, data, show) {
    Object.assign(this, { root, data, show, page: 0, sort: 'commune', descending: false, visible: [], orders: {} });
    this.head = make('tr');
    this.body = make('tbody');
    this.caption = make('caption');
    this.position = make('span', { 'class': 'page-position', 'aria-live': 'polite' });
    this.previous = make('button', { type: 'button', text: '‹ Précédents', onclick: () => this.turn(-1) });
    this.next = make('button', { type: 'button', text: 'Suivants ›', onclick: () => this.turn(1) });
    root.replaceChildren(
      make('div', { 'class': 'table-scroll', 'tabindex': '0', 'role': 'group', 'aria-label': 'Tableau des lieux visibles' },
        make('table', {}, this.caption, make('thead', {}, this.head), this.body)),
      make('div', { class: 'pager' }, this.previous, this.position, this.next));
  }

  setNames(names) {
    this.names = names;
    this.orders = {};
    this.update(this.visible);
  }

  text(column, i) {
    const { header, kind, commune } = this.data;
    const type = header.types[kind[i]];
    if (column === 'type') return type.label;
    if (column === 'category') return header.categories[type.category];
    if (column === 'commune') return this.names ? this.names.communes[commune[i]] : header.communes[commune[i]];
    return this.names ? this.names.places[i].split('\t')[0] || '(sans nom)' : '…';
  }

  /** Rank of every place in the order of a column, computed on the first use. Places come sorted by commune code. */
  rank(column) {
    if (this.orders[column]) return this.orders[column];
    const keys = new Map();
    const key = (text) => {
      if (!keys.has(text)) keys.set(text, plain(text));
      return keys.get(text);
    };
    const texts = Array.from({ length: this.data.n }, (_, i) => key(this.text(column, i)));
    const order = Array.from(texts.keys()).sort((a, b) => (texts[a] < texts[b] ? -1 : texts[a] > texts[b] ? 1 : a - b));
    const rank = new Uint32Array(order.length);
    order.forEach((i, position) => { rank[i] = position; });
    this.orders[column] = rank;
    return rank;
  }

  update(visible) {
    this.visible = visible;
    this.sorted = null;
    this.page = 0;
    this.draw();
  }

  turn(step) {
    this.page += step;
    this.draw();
  }

  sortBy(column) {
    this.descending = this.sort === column && !this.descending;
    this.sort = column;
    this.update(this.visible);
    this.head.querySelector(`[data-column="${column}"]`).focus();
  }

  rows() {
    if (this.sorted) return this.sorted;
    // The default order is that of the file (commune code, then name): nothing to compute at first.
    const natural = this.sort === 'commune' && !this.descending;
    if (natural) this.sorted = this.visible;
    else {
      const rank = this.sort === 'commune' ? null : this.rank(this.sort);
      const sign = this.descending ? -1 : 1;
      this.sorted = Array.from(this.visible).sort((a, b) => sign * (rank ? rank[a] - rank[b] : a - b));
    }
    return this.sorted;
  }

  draw() {
    const rows = this.rows();
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const first = this.page * PAGE;
    const shown = rows.slice(first, first + PAGE);
    this.caption.textContent = `Lieux visibles sur la carte : ${number(rows.length)}`;
    this.head.replaceChildren(...COLUMNS.map(([column, title]) => {
      const active = this.sort === column;
      const arrow = active ? (this.descending ? ' ▼' : ' ▲') : '';
      return make('th', { 'scope': 'col', 'aria-sort': active ? (this.descending ? 'descending' : 'ascending') : 'none' },
        make('button', { 'type': 'button', 'data-column': column, 'onclick': () => this.sortBy(column) },
          title, make('span', { 'aria-hidden': 'true', 'text': arrow })));
    }), make('th', { scope: 'col', text: 'Carte' }));
    this.body.replaceChildren(...Array.from(shown, (i) => {
      const demo = this.data.flags[i] & 1 ? make('span', { class: 'demo-mark', text: 'démonstration' }) : null;
      return make('tr', {},
        make('td', { text: this.text('commune', i) }),
        make('th', { scope: 'row' }, this.text('name', i), demo),
        make('td', { text: this.text('type', i) }),
        make('td', { text: this.text('category', i) }),
        make('td', {}, make('button', {
          'type': 'button', 'text': 'Voir sur la carte', 'aria-label': `Voir sur la carte : ${this.text('name', i)}`,
          'onclick': () => this.show(i),
        })));
    }));
    this.position.textContent = rows.length
      ? `${number(first + 1)} à ${number(first + shown.length)} sur ${number(rows.length)}` : 'Aucun lieu';
    this.previous.disabled = this.page === 0;
    this.next.disabled = this.page >= pages - 1;
  }
}

// ---- Exports -------------------------------------------------------------------------------------------------------

/** Links to the exports, with the filters in force and the visible area. */
export function exportLinks(base, { types, categories, commune, bounds }) {
  const query = new URLSearchParams();
  for (const type of types ?? []) query.append('type', type);
  for (const category of categories ?? []) query.append('categorie', category);
  if (bounds) query.set('bbox', bounds.map((value) => value.toFixed(5)).join(','));
  const link = (href, text) => make('li', {}, make('a', { href, text, download: '' }));
  const items = [
    link(`${base}/export/lieux.csv?${query}`, 'Lieux visibles en CSV (tableur)'),
    link(`${base}/export/lieux.geojson?${query}`, 'Lieux visibles en GeoJSON (SIG)'),
  ];
  if (commune) {
    items.push(link(`${base}/export/carte-${commune.code}.html`, `Carte de ${commune.name} en une page HTML`));
  }
  return items;
}
