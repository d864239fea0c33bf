// Map of layers: one instance per place in the page, kept between the runs of the Streamlit script.
// Each run gives the list of the layers; only those whose version changed are read and drawn again.

import { libraries } from './map_data.js';
import { MAX_ZOOM, Outlines } from './map_layers.js';
import { DataLayer, patterns, swatch } from './layer_map_layers.js';
import { make } from './map_text.js';

const HINT_MS = 1600;
const instances = new WeakMap();

/** Called by Streamlit on every run: the first call builds the map, the next ones change it in place. */
export function render(component) {
  const { parentElement } = component;
  let instance = instances.get(parentElement);
  if (!instance) {
    instance = new LayerMap(parentElement);
    instances.set(parentElement, instance);
  }
  instance.update(component);
  return () => {
    instance.dispose();
    instances.delete(parentElement);
  };
}

const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

class LayerMap {
  constructor(parent) {
    this.root = parent.querySelector('.layer-map');
    this.part = (name) => this.root.querySelector(`[data-part="${name}"]`);
    this.layers = new Map();
    this.root.prepend(patterns());
    this.onKey = (event) => event.key === 'Escape' && this.map?.closePopup();
    this.root.addEventListener('keydown', this.onKey);
    // The page tells of its theme by a colour only; a transition on it is the one event that a change causes.
    this.onTheme = (event) => event.target === this.root && this.repaint();
    this.root.addEventListener('transitionend', this.onTheme);
  }

  // ---- Life --------------------------------------------------------------------------------------------------------

  update(component) {
    const before = this.args;
    this.args = component.data;
    this.trigger = component.setTriggerValue;
    this.root.setAttribute('aria-label', this.args.label);
    this.part('map').style.height = `${this.args.height}px`;
    this.scheme = this.schemeNow();
    if (!this.started) this.start();
    else if (this.map) this.apply(before);
  }

  async start() {
    this.started = true;
    this.state('loading');
    try {
      const [{ L }] = await Promise.all([libraries(), this.styled()]);
      if (!this.started) return;
      this.L = L;
      // The style sheet has just come: before it, the background was no colour.
      this.scheme = this.schemeNow();
      this.build();
      await this.apply(null);
      this.state('ready');
    } catch (error) {
      this.fail(error);
    }
  }

  /** Leaflet measures its panes: its style sheet has to be there first. */
  styled() {
    const links = [...this.root.parentNode.querySelectorAll('link[rel=stylesheet]')];
    return Promise.all(links.map((link) => (link.sheet ? null : new Promise((resolve) => {
      link.addEventListener('load', resolve);
      link.addEventListener('error', resolve);
    }))));
  }

  state(name) {
    this.root.dataset.state = name;
    this.root.setAttribute('aria-busy', String(name === 'loading'));
  }

  fail(error) {
    this.teardown();
    this.state('error');
    this.part('error').replaceChildren(
      make('p', {}, make('strong', { text: 'La carte n’a pas pu être chargée. ' }), error.message),
      make('button', { type: 'button', text: 'Réessayer', onclick: () => this.start() }));
  }

  teardown() {
    this.started = false;
    clearTimeout(this.hinting);
    this.resizing?.disconnect();
    this.layers.forEach((layer) => layer.remove());
    this.layers.clear();
    this.map?.remove();
    this.map = null;
  }

  dispose() {
    this.teardown();
    this.root.removeEventListener('keydown', this.onKey);
    this.root.removeEventListener('transitionend', this.onTheme);
  }

  // ---- Building ----------------------------------------------------------------------------------------------------

  build() {
    const { L } = this;
    const container = this.part('map');
    // With one finger, or the wheel alone, the page scrolls: a map must not be a trap.
    this.fingers = window.matchMedia('(pointer: coarse)').matches;
    this.map = L.map(container, {
      zoomControl: false, attributionControl: false, minZoom: 4, maxZoom: MAX_ZOOM, zoomSnap: 0.25, fadeAnimation: false,
      scrollWheelZoom: false, dragging: !this.fingers, worldCopyJump: false, maxBounds: [[-60, -180], [75, 180]],
    });
    container.setAttribute('role', 'region');
    container.setAttribute('aria-label', `${this.args.label}. Flèches pour se déplacer, plus et moins pour zoomer.`);
    L.control.zoom({ zoomInTitle: 'Zoomer', zoomOutTitle: 'Dézoomer' }).addTo(this.map);
    L.control.scale({ imperial: false, position: 'topright' }).addTo(this.map);
    L.control.attribution({ prefix: 'Leaflet' }).addAttribution('contours : IGN et Insee').addTo(this.map);
    if (this.args.snapshot) this.outlines();
    this.map.on('moveend', () => this.ground?.draw());
    this.map.on('click', (event) => this.clicked(event.latlng));
    this.map.on('popupclose', () => this.restoreFocus());
    this.gestures();
    this.resizing = new ResizeObserver(() => this.map?.invalidateSize({ animate: false }));
    this.resizing.observe(container);
  }

  outlines() {
    const { base, snapshot } = this.args;
    const onError = () => this.note('Les contours n’ont pas pu être chargés.');
    // Outlines draws as soon as its file is there: the map needs a view before.
    this.frame();
    this.ground = new Outlines(this.L, this.map, { base, snapshot, onError, marks: () => [] });
    this.ground.ready.catch(onError);
  }

  gestures() {
    const frame = this.part('frame');
    frame.addEventListener('wheel', (event) => {
      const wanted = event.ctrlKey || event.metaKey;
      this.map?.scrollWheelZoom[wanted ? 'enable' : 'disable']();
      if (!wanted) this.hint('Ctrl + molette pour zoomer');
    }, { capture: true, passive: true });
    frame.addEventListener('touchmove', (event) => {
      if (this.fingers && event.touches.length === 1 && !this.map?.dragging.enabled()) this.hint('Deux doigts pour déplacer la carte');
    }, { passive: true });
  }

  hint(text) {
    const hint = this.part('hint');
    hint.textContent = text;
    hint.hidden = false;
    clearTimeout(this.hinting);
    this.hinting = setTimeout(() => { hint.hidden = true; }, HINT_MS);
  }

  note(text) {
    this.part('note').textContent = text;
  }

  // ---- Changes -----------------------------------------------------------------------------------------------------

  async apply(before) {
    const { args } = this;
    if (!before || !same(before.bounds, args.bounds)) this.frame();
    if (!before || !same(before.legend, args.legend)) this.drawLegend();
    this.note('');
    const wanted = new Set(args.layers.map((layer) => layer.id));
    for (const [id, layer] of this.layers) if (!wanted.has(id)) this.drop(id, layer);
    const fresh = args.layers.map((description, order) => this.put(description, order)).filter(Boolean);
    await Promise.all(fresh.map((layer) => layer.load().catch((error) => this.note(`Une couche manque. ${error.message}`))));
    if (this.args === args && this.map) this.drawToolbar();
  }

  drop(id, layer) {
    layer.remove();
    this.layers.delete(id);
  }

  /** Return a layer to load, or nothing when the one on the map is the same. */
  put(description, order) {
    const { id, version } = description;
    const old = this.layers.get(id);
    if (old?.description.version === version) {
      old.place(order);
      return null;
    }
    if (old) {
      this.map.closePopup();
      this.drop(id, old);
    }
    const { L, scheme } = this;
    const made = new DataLayer(this.map, { L, description, order, scheme, onHit: (...hit) => { this.hit = hit; } });
    this.layers.set(id, made);
    return made;
  }

  frame() {
    const [west, south, east, north] = this.args.bounds;
    this.map.fitBounds([[south, west], [north, east]], { padding: [14, 14], animate: false, maxZoom: 15 });
  }

  schemeNow() {
    const [red, green, blue, alpha = 1] = getComputedStyle(this.root).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    if (!alpha) return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
    return 0.3 * red + 0.6 * green + 0.1 * blue < 128 ? 'dark' : 'light';
  }

  repaint() {
    const scheme = this.schemeNow();
    if (scheme === this.scheme || !this.map) return;
    this.scheme = scheme;
    this.layers.forEach((layer) => layer.paint(scheme));
    this.drawLegend();
  }

  // ---- Legend and tools --------------------------------------------------------------------------------------------

  drawLegend() {
    const { legend } = this.args;
    if (!legend) {
      this.part('legend').replaceChildren();
      return;
    }
    const items = legend.items.map((item) => make('li', {}, swatch(legend.palette, this.scheme, item),
      make('span', { class: 'bounds', text: item.label }), make('span', { class: 'count', text: item.count })));
    this.part('legend').replaceChildren(
      make('p', { class: 'legend-title', text: legend.title }),
      make('ul', { 'class': 'legend', 'aria-label': 'Légende' }, ...items),
      ...(legend.note ? [make('p', { class: 'small', text: legend.note })] : []));
  }

  drawToolbar() {
    const { picker, click, layers } = this.args;
    const listed = this.layers.get(picker)?.listed() ?? [];
    const version = `${layers.find((layer) => layer.id === picker)?.version} ${click} ${listed.length}`;
    if (this.toolbarVersion === version) return;
    this.toolbarVersion = version;
    const tools = [];
    if (listed.length) {
      const select = make('select', { 'data-part': 'pick', 'aria-label': 'Montrer sur la carte' },
        make('option', { value: '', text: `Montrer… (${listed.length})` }),
        ...listed.map(({ about }) => make('option', { value: about.id, text: about.name })));
      select.addEventListener('change', () => select.value && this.show(picker, select.value));
      tools.push(select);
    }
    if (click === 'point') {
      tools.push(make('button', { type: 'button', text: 'Choisir le centre de la carte', onclick: () => this.send(this.map.getCenter(), null) }));
    }
    if (this.fingers) {
      const toggle = make('button', { 'type': 'button', 'aria-pressed': 'false', 'text': 'Déplacer d’un doigt' });
      toggle.addEventListener('click', () => {
        const on = !this.map.dragging.enabled();
        this.map.dragging[on ? 'enable' : 'disable']();
        toggle.setAttribute('aria-pressed', String(on));
      });
      tools.push(toggle);
    }
    tools.push(make('button', { type: 'button', text: 'Recadrer', onclick: () => this.frame() }));
    this.part('toolbar').replaceChildren(...tools);
  }

  // ---- Clicks ------------------------------------------------------------------------------------------------------

  /** A click on a shape comes first to the shape, then to the map. */
  clicked(at) {
    const hit = this.hit ?? null;
    this.hit = null;
    if (this.args.click === 'point' || (this.args.click === 'feature' && hit)) this.send(at, hit);
    if (hit && this.args.click !== 'point') this.card(hit[1], at);
  }

  send({ lng, lat }, hit) {
    const round = (value) => Math.round(value * 1e6) / 1e6;
    this.trigger('clicked', {
      lon: round(lng), lat: round(lat), layer: hit?.[0].description.id ?? null, feature_id: hit?.[1].id || null,
    });
  }

  /** A card closed by the keyboard gives the focus back to the list it came from. */
  restoreFocus() {
    if (this.returnTo?.isConnected) this.returnTo.focus({ preventScroll: true });
    this.returnTo = null;
  }

  show(layerId, id) {
    const found = this.layers.get(layerId)?.shapes.get(id);
    if (!found) return;
    const { layer, about } = found;
    const box = layer.getBounds?.() ?? this.L.latLngBounds([layer.getLatLng()]);
    if (!this.map.getBounds().contains(box)) this.map.panTo(box.getCenter(), { animate: false });
    if (this.args.click) this.send(box.getCenter(), [this.layers.get(layerId), about]);
    this.card(about, box.getCenter());
    this.returnTo = this.part('pick');
  }

  card(about, at) {
    if (!about.name && !about.text) return;
    const follow = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      this.trigger('opened', about.id);
    };
    const content = make('div', { class: 'card' }, make('p', { class: 'title', text: about.name }),
      ...about.text.split('\n').map((text) => make('p', { text })),
      about.href ? make('p', {}, make('a', { href: about.href, text: this.args.link_label, onclick: follow })) : null);
    const opened = this.L.popup({ maxWidth: 280, minWidth: 160, autoPanPadding: [10, 10] }).setLatLng(at).setContent(content).openOn(this.map);
    const element = opened.getElement();
    element.setAttribute('role', 'dialog');
    element.setAttribute('aria-label', about.name);
    const close = element.querySelector('.leaflet-popup-close-button');
    close.setAttribute('aria-label', 'Fermer');
    (content.querySelector('a') ?? close).focus({ preventScroll: true });
  }
}
