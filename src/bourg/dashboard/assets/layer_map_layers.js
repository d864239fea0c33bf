// Layers of a map: shapes read by URL, coloured by palette or pattern, in panes of their own.

import { make } from './map_text.js';

// Above this number SVG paths slow every move: the shapes are then drawn on a canvas.
const MANY = 3000;
const KEPT = 60;
const SVG = 'http://www.w3.org/2000/svg';
const contents = new Map();

/** Read JSON by URL, once: addresses name their content. The oldest of many are forgotten. */
function read({ inline, url }) {
  if (inline) return Promise.resolve(inline);
  if (!contents.has(url)) {
    const promise = fetch(url).then(async (response) => {
      if (response.ok) return response.json();
      const details = await response.json().catch(() => ({}));
      throw new Error([details.quoi, details.que_faire].filter(Boolean).join(' ') || `Erreur ${response.status}.`);
    }, () => { throw new Error('Le serveur ne répond pas : vérifiez votre connexion.'); });
    promise.catch(() => contents.delete(url));
    contents.set(url, promise);
    if (contents.size > KEPT) contents.delete(contents.keys().next().value);
  }
  return contents.get(url);
}

// ---- Patterns ------------------------------------------------------------------------------------------------------

const DRAWINGS = {
  missing: [8, ['path', { d: 'M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4' }]],
  secret: [8, ['path', { d: 'M0,0 l8,8 M8,0 l-8,8' }]],
  not_applicable: [6, ['circle', { cx: 3, cy: 3, r: 1.1, class: 'full' }]],
  unreachable: [6, ['path', { d: 'M0,3 h6' }]],
};

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** The drawings that stand for « no value », defined once for the map and its legend. */
export function patterns() {
  return svg('svg', { 'width': 0, 'height': 0, 'aria-hidden': 'true', 'class': 'patterns' }, svg('defs', {},
    ...Object.entries(DRAWINGS).map(([name, [size, [tag, attributes]]]) => svg('pattern',
      { id: `motif-${name}`, width: size, height: size, patternUnits: 'userSpaceOnUse' },
      svg('rect', { width: size, height: size, class: 'ground' }), svg(tag, attributes)))));
}

/** Square of the legend: a colour or a pattern. */
export function swatch(palette, scheme, { colour, pattern }) {
  const fill = pattern ? `url(#motif-${pattern})` : palette?.[scheme][colour] ?? 'none';
  return svg('svg', { 'class': 'swatch', 'width': 26, 'height': 18, 'aria-hidden': 'true' },
    svg('rect', { x: 0.5, y: 0.5, width: 25, height: 17, fill }));
}

// ---- Layers --------------------------------------------------------------------------------------------------------

/** One layer: `load()` reads and draws it, `paint(scheme)` colours it again, `remove()` takes it away. */
export class DataLayer {
  constructor(map, { L, description, order, scheme, onHit }) {
    Object.assign(this, { map, L, description, scheme, onHit });
    this.gone = false;
    this.shapes = new Map();
    this.pane = `couche-${description.id}`;
    const pane = map.getPane(this.pane) ?? map.createPane(this.pane);
    pane.style.zIndex = 360 + order;
    pane.style.pointerEvents = description.interactive ? '' : 'none';
  }

  place(order) {
    this.map.getPane(this.pane).style.zIndex = 360 + order;
  }

  async load() {
    const { sources, features } = this.description;
    const [named, ...collections] = await Promise.all([features ? read(features) : null, ...sources.map(read)]);
    if (this.gone) return;
    const shapes = collections.flatMap((item) => item.features ?? [item]);
    const wanted = named ? shapes.filter((shape) => Object.hasOwn(named, this.idOf(shape))) : shapes;
    // Many shapes go to a canvas, which knows no pattern: they keep a dashed border.
    this.canvas = wanted.length > MANY;
    const renderer = this.canvas ? this.L.canvas({ pane: this.pane, padding: 0.3 }) : this.L.svg({ pane: this.pane, padding: 0.3 });
    this.named = named;
    this.group = this.L.geoJSON({ type: 'FeatureCollection', features: wanted }, {
      renderer, pane: this.pane, interactive: this.description.interactive,
      style: (shape) => this.styleOf(this.about(shape)),
      pointToLayer: (shape, at) => this.L.circleMarker(at, { renderer, pane: this.pane, radius: this.description.radius }),
      onEachFeature: (shape, layer) => this.adopt(shape, layer),
    }).addTo(this.map);
  }

  idOf(shape) {
    return String(shape.properties?.[this.description.id_property] ?? shape.id ?? '');
  }

  about(shape) {
    const id = this.idOf(shape);
    if (this.named) {
      const [name, text, colour, pattern, href] = this.named[id];
      return { id, name, text, colour, pattern, href };
    }
    const own = shape.properties ?? {};
    return { id, name: own.nom ?? '', text: own.texte ?? '', colour: own.couleur ?? null, pattern: own.motif ?? null, href: own.lien ?? null };
  }

  adopt(shape, layer) {
    const about = this.about(shape);
    this.shapes.set(about.id, { about, layer });
    if (!this.description.interactive) return;
    layer.on('click', () => this.onHit(this, about, layer));
    if (about.name || about.text) {
      // A card is for fingers: there is no hovering.
      layer.on('mouseover', (event) => this.hover(about, layer, event));
      layer.on('mouseout', () => this.leave(layer));
    }
  }

  hover(about, layer) {
    if (this.L.Browser.touch && !window.matchMedia('(hover: hover)').matches) return;
    if (!layer.getTooltip()) {
      layer.bindTooltip(() => make('div', {}, make('strong', { text: about.name }), ...about.text.split('\n').map((text) => make('div', { text }))),
        { sticky: true, direction: 'auto', className: 'bubble', opacity: 1 }).openTooltip();
    }
    if (!this.canvas && this.description.style === 'fill') layer.setStyle({ weight: this.weight() + 2.5 });
  }

  leave(layer) {
    layer.unbindTooltip();
    if (!this.canvas && this.description.style === 'fill') layer.setStyle({ weight: this.weight() });
  }

  weight() {
    return this.description.weight ?? { fill: this.description.kind === 'lines' ? 3 : 0.8, outline: 3, quiet: 1 }[this.description.style];
  }

  styleOf({ colour, pattern }) {
    const { palette, kind, style, opacity } = this.description;
    const [ink, ground] = this.scheme === 'dark' ? ['#f1ede6', '#17181b'] : ['#23201c', '#ffffff'];
    const own = palette?.[this.scheme][colour] ?? null;
    const base = { weight: this.weight(), opacity: 1, fill: false, color: ink, dashArray: null, className: `shape ${style}` };
    if (kind === 'lines') return { ...base, color: own ?? ink };
    if (style === 'outline') return base;
    if (style === 'quiet') return { ...base, color: own ?? ink, opacity: 0.5 };
    const border = kind === 'points' ? { color: ground, weight: this.description.weight ?? 1.5 } : { color: this.scheme === 'dark' ? '#6d6f74' : '#8d8880' };
    if (pattern && this.canvas) return { ...base, ...border, color: ink, dashArray: '3 3' };
    if (pattern) return { ...base, ...border, fill: true, fillColor: `url(#motif-${pattern})`, fillOpacity: 1 };
    if (!own && palette) return { ...base, ...border };
    return { ...base, ...border, fill: true, fillColor: own ?? ink, fillOpacity: opacity };
  }

  paint(scheme) {
    this.scheme = scheme;
    for (const { about, layer } of this.shapes.values()) layer.setStyle(this.styleOf(about));
  }

  /** Shapes in the order of their names, for a list. */
  listed() {
    return [...this.shapes.values()].filter(({ about }) => about.name)
      .sort((a, b) => a.about.name.localeCompare(b.about.name, 'fr'));
  }

  remove() {
    this.gone = true;
    this.group?.remove();
  }
}
