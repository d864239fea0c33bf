// Culture map of Bourg: one instance per place in the page, kept between the runs of the Streamlit script.
// Data arrives by URL (map_data.js); only the filters and the chosen commune come through Streamlit.

import { libraries, names, points } from './map_data.js';
import { MAX_ZOOM, Outlines, Places, legendOf } from './map_layers.js';
import { PlacesTable, bars, countVisible, exportLinks, sentence } from './map_panels.js';
import { HOME, VIEWS, count, make, markOf } from './map_text.js';

const SETTLE_MS = 800;
const STATISTICS_MS = 200;
const instances = new WeakMap();

/** Called by Streamlit on every run: the first call builds the map, the next ones change it in place. */
export function render(component) {
  const { parentElement } = component;
  let instance = instances.get(parentElement);
  if (!instance) {
    instance = new CultureMap(parentElement);
    instances.set(parentElement, instance);
  }
  instance.update(component);
  return () => {
    instance.dispose();
    instances.delete(parentElement);
  };
}

const sameList = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

class CultureMap {
  constructor(parent) {
    this.root = parent.querySelector('.culture-map');
    this.part = (name) => this.root.querySelector(`[data-part="${name}"]`);
    this.timers = {};
    this.onKey = (event) => event.key === 'Escape' && this.closePopup();
    this.root.addEventListener('keydown', this.onKey);
  }

  // ---- Life: start, update, stop -----------------------------------------------------------------------------------

  update(component) {
    const before = this.args;
    this.args = component.data;
    this.trigger = component.setTriggerValue;
    const { theme, height } = this.args;
    this.root.dataset.theme = theme;
    this.root.dataset.panels = this.args.panels === false ? 'none' : 'all';
    this.part('views').hidden = this.args.controls === false;
    this.part('map').style.height = `${height}px`;
    if (!this.started || (before && before.snapshot !== this.args.snapshot)) this.start();
    else if (this.map) this.apply(before);
    // The run of the script may have written the address again, without the view that only the map knows.
    if (this.viewWritten) this.later('address', SETTLE_MS, () => this.writeAddress());
  }

  async start() {
    this.started = true;
    this.teardown();
    this.state('loading');
    const { base, snapshot } = this.args;
    const attempt = {};
    this.attempt = attempt;
    try {
      const [libs, data] = await Promise.all([libraries(), points(base, snapshot), this.styled()]);
      if (this.attempt !== attempt) return;
      this.data = data;
      this.build(libs);
      this.state('ready');
      this.apply(null);
      this.loadNames();
    } catch (error) {
      if (this.attempt === attempt) this.fail(error);
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

  fail(error) {
    this.started = false;
    this.state('error');
    this.part('error').replaceChildren(
      make('p', {}, make('strong', { text: 'La carte n’a pas pu être chargée. ' }), error.message),
      make('button', { type: 'button', text: 'Réessayer', onclick: () => this.start() }));
  }

  state(name) {
    this.root.dataset.state = name;
    this.root.setAttribute('aria-busy', String(name === 'loading'));
  }

  teardown() {
    Object.values(this.timers).forEach(clearTimeout);
    this.resizing?.disconnect();
    this.map?.remove();
    this.map = null;
  }

  dispose() {
    this.attempt = null;
    this.teardown();
    this.root.removeEventListener('keydown', this.onKey);
  }

  later(name, delay, action) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(() => this.map && action(), delay);
  }

  // ---- Building ----------------------------------------------------------------------------------------------------

  build(libs) {
    const { L } = libs;
    this.L = L;
    const container = this.part('map');
    this.map = L.map(container, {
      zoomControl: false, attributionControl: false, minZoom: 4, zoomSnap: 0.25, maxZoom: MAX_ZOOM, zoomAnimation: true,
      fadeAnimation: false, worldCopyJump: false, maxBounds: [[-60, -180], [75, 180]],
    });
    container.setAttribute('role', 'region');
    container.setAttribute('aria-label',
      'Carte des lieux culturels. Flèches pour se déplacer, plus et moins pour zoomer, tabulation pour passer d’un lieu à l’autre.');
    L.control.zoom({ zoomInTitle: 'Zoomer', zoomOutTitle: 'Dézoomer' }).addTo(this.map);
    L.control.scale({ imperial: false, position: 'topright' }).addTo(this.map);
    L.control.attribution({ prefix: 'Leaflet' }).addAttribution(this.attribution()).addTo(this.map);
    this.setFirstView();
    const { base, snapshot } = this.args;
    const onError = () => this.note('Les contours n’ont pas pu être chargés.');
    this.outlines = new Outlines(L, this.map, { base, snapshot, onError, marks: () => this.places.pixels() });
    this.outlines.ready.catch(onError);
    this.places = new Places(libs, this.map, this.data, {
      open: (i, marker) => this.openPlace(i, marker),
      openList: (list, at, marker) => this.openList(list, at, marker),
      label: (i) => this.labelOf(i),
    });
    this.table = new PlacesTable(this.part('table'), this.data, (i) => this.showOnMap(i));
    this.part('legend').replaceChildren(legendOf(this.usedCategories()));
    this.part('demo').hidden = !(this.args.demo_banner && this.data.header.demo);
    this.buildViews();
    this.map.on('moveend', () => this.moved());
    this.map.on('popupclose', () => this.restoreFocus());
    this.resizing = new ResizeObserver(() => this.map?.invalidateSize({ animate: false }));
    this.resizing.observe(container);
  }

  usedCategories() {
    const used = new Set(this.data.header.types.map((type) => type.category));
    return this.data.header.categories.filter((_, c) => used.has(c));
  }

  buildViews() {
    const select = this.part('views');
    select.replaceChildren(make('option', { value: '', text: 'Aller à…' }),
      ...Object.keys(VIEWS).map((name) => make('option', { value: name, text: name })));
    select.onchange = () => {
      if (select.value) this.goTo(select.value);
      select.value = '';
    };
  }

  goTo(name) {
    const [south, west, north, east] = VIEWS[name];
    this.map.fitBounds([[south, west], [north, east]]);
  }

  async loadNames() {
    try {
      this.names = await names(this.args.base, this.args.snapshot);
      if (!this.map) return;
      this.table.setNames(this.names);
      this.places.relabel();
    } catch {
      this.note('Les noms des lieux n’ont pas pu être chargés : rechargez la page pour les voir.');
    }
  }

  attribution() {
    const { sources } = this.data.header;
    return this.args.attribution ?? `${sources.join(' ; ') || 'Lieux culturels'} ; contours : IGN et Insee`;
  }

  note(text) {
    this.part('note').textContent = text;
  }

  // ---- Filters and commune -----------------------------------------------------------------------------------------

  apply(before) {
    const { types, categories, commune } = this.args;
    if (!before || !sameList(before.types, types) || !sameList(before.categories, categories)) {
      this.selected = this.select(types, categories);
      this.map.closePopup();
      this.places.select(this.selected);
      if (before) this.outlines.draw();
    }
    if ((before?.commune?.code ?? null) !== (commune?.code ?? null)) {
      this.outlines.choose(commune).catch(() => this.note('Le contour de la commune n’a pas pu être chargé.'));
      if (before) this.frame();
    }
    this.statistics();
  }

  /** Indices of the places that pass the filters; null sets no limit, an empty list lets nothing through. */
  select(types, categories) {
    const { header, kind, n } = this.data;
    const kept = header.types.map((type) => (!types || types.includes(type.label))
      && (!categories || categories.includes(header.categories[type.category])));
    const selected = new Uint32Array(n);
    let size = 0;
    for (let i = 0; i < n; i += 1) if (kept[kind[i]]) { selected[size] = i; size += 1; }
    return selected.subarray(0, size);
  }

  frame() {
    const box = this.args.commune?.bounds;
    if (!box) return;
    this.map.fitBounds([[box[1], box[0]], [box[3], box[2]]], { padding: [24, 24], animate: false });
  }

  // ---- View and address --------------------------------------------------------------------------------------------

  /** The address wins (deep link), then the chosen commune, then the whole country. */
  setFirstView() {
    const query = new URLSearchParams(this.args.deep_link ? window.location.search : '');
    const [lat, lon, zoom] = ['lat', 'lon', 'z'].map((name) => Number.parseFloat(query.get(name)));
    if ([lat, lon, zoom].every(Number.isFinite) && Math.abs(lat) <= 75 && Math.abs(lon) <= 180) {
      this.map.setView([lat, lon], Math.min(Math.max(zoom, 4), MAX_ZOOM), { animate: false });
    } else if (this.args.commune?.bounds) {
      this.frame();
    } else {
      const [south, west, north, east] = VIEWS[HOME];
      this.map.fitBounds([[south, west], [north, east]], { animate: false });
    }
  }

  moved() {
    this.places.draw();
    this.outlines.draw();
    this.later('statistics', STATISTICS_MS, () => this.statistics());
    this.later('address', SETTLE_MS, () => this.writeAddress());
  }

  /** The view goes to the address bar without a message to the server: moving the map costs no rerun. */
  writeAddress() {
    if (!this.args.deep_link) return;
    const { lat, lng } = this.map.getCenter();
    const url = new URL(window.location.href);
    url.searchParams.set('lat', lat.toFixed(4));
    url.searchParams.set('lon', lng.toFixed(4));
    url.searchParams.set('z', String(this.map.getZoom()));
    window.history.replaceState(window.history.state, '', url);
    this.viewWritten = true;
  }

  // ---- Figures and table -------------------------------------------------------------------------------------------

  visible() {
    const bounds = this.map.getBounds();
    const [west, south, east, north] = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const { lon, lat } = this.data;
    return this.selected.filter((i) => lon[i] >= west && lon[i] <= east && lat[i] >= south && lat[i] <= north);
  }

  communeSummary() {
    const { commune } = this.args;
    if (!commune) return null;
    const position = this.data.header.communes.indexOf(commune.code);
    let size = 0;
    if (position >= 0) for (const i of this.selected) if (this.data.commune[i] === position) size += 1;
    return { ...commune, places: size };
  }

  statistics() {
    const visible = this.visible();
    const counts = countVisible(this.data, visible);
    const summary = sentence(this.data, visible, counts, this.communeSummary(), this.args.controls !== false);
    const { unlocated } = this.data.header;
    if (this.part('statistics').textContent !== summary) this.part('statistics').textContent = summary;
    this.part('unlocated').textContent = unlocated
      ? `${count(unlocated, 'lieu sans coordonnées n’est pas dessiné', 'lieux sans coordonnées ne sont pas dessinés')} ; le téléchargement d’une commune entière les contient.` : '';
    this.part('bars').replaceChildren(...bars(counts.byType, visible.length));
    this.table.update(visible);
    this.emptyState(visible.length === 0);
    const box = this.map.getBounds();
    const limits = [Math.max(-180, box.getWest()), Math.max(-90, box.getSouth()), Math.min(180, box.getEast()), Math.min(90, box.getNorth())];
    this.part('exports').replaceChildren(...exportLinks(this.args.base, { ...this.args, bounds: limits }));
  }

  emptyState(empty) {
    const panel = this.part('empty');
    panel.hidden = !empty;
    if (!empty) return;
    const { types, categories } = this.args;
    const filtered = types !== null || categories !== null;
    const filters = [...(categories ?? []), ...(types ?? [])].join(', ') || 'rien n’est coché';
    const text = filtered ? `Aucun lieu ici avec ces filtres : ${filters}.` : 'Aucun lieu dans cette zone.';
    panel.replaceChildren(make('p', { text }),
      make('button', { type: 'button', text: 'Voir toute la France', onclick: () => this.goTo(HOME) }));
    if (filtered) {
      panel.append(make('button', { type: 'button', text: 'Retirer les filtres', onclick: () => this.trigger('reset', true) }));
    }
  }

  // ---- Details of a place ------------------------------------------------------------------------------------------

  nameOf(i) {
    return this.names ? this.names.places[i].split('\t')[0] || '(sans nom)' : '';
  }

  typeOf(i) {
    return this.data.header.types[this.data.kind[i]];
  }

  labelOf(i) {
    const commune = this.names?.communes[this.data.commune[i]];
    return [this.nameOf(i), this.typeOf(i).label, commune].filter(Boolean).join(', ');
  }

  details(i) {
    const { header, flags, commune } = this.data;
    const type = this.typeOf(i);
    const category = header.categories[type.category];
    const [, detail, label] = this.names ? this.names.places[i].split('\t') : [];
    const code = header.communes[commune[i]];
    const town = this.names ? this.names.communes[commune[i]] : code;
    const line = (term, value) => (value ? [make('dt', { text: term }), make('dd', { text: value })] : []);
    return make('div', { class: 'details' },
      make('p', { class: 'title' }, markOf(category), this.nameOf(i) || type.label),
      make('dl', {}, ...line('Type', type.label), ...line('Précision', detail), ...line('Label', label),
        ...line('Catégorie', category), ...line('Commune', code ? `${town} (${code})` : town),
        ...line('Source', this.attribution())),
      flags[i] & 1 ? make('p', { class: 'demo-mark', text: 'Donnée de démonstration : ce lieu n’existe pas.' }) : null,
      flags[i] & 2 ? make('p', { text: 'Position douteuse : loin de la commune indiquée.' }) : null,
      code ? make('button', { type: 'button', text: 'Voir la fiche de la commune', onclick: () => this.trigger('chosen', code) }) : null);
  }

  openPlace(i, marker, back = marker) {
    this.popup(this.details(i), [this.data.lat[i], this.data.lon[i]], back);
  }

  openList(indices, at, marker) {
    const list = make('ul', { class: 'same-spot' }, ...indices.map((i) => make('li', {}, make('button', {
      type: 'button', text: this.labelOf(i), onclick: () => this.openPlace(i, marker),
    }))));
    this.popup(make('div', { class: 'details' }, make('p', { class: 'title', text: `${count(indices.length, 'lieu', 'lieux')} à cet endroit` }), list), at, marker);
  }

  popup(content, at, marker) {
    this.returnTo = marker ?? null;
    const opened = this.L.popup({ maxWidth: 300, minWidth: 200, autoPanPadding: [12, 12], keepInView: false })
      .setLatLng(at).setContent(content).openOn(this.map);
    const element = opened.getElement();
    element.setAttribute('role', 'dialog');
    element.setAttribute('aria-label', content.querySelector('.title').textContent);
    const close = element.querySelector('.leaflet-popup-close-button');
    close.setAttribute('aria-label', 'Fermer');
    (content.querySelector('button') ?? close).focus({ preventScroll: true });
    this.returnTo = marker ?? null;
  }

  closePopup() {
    this.map?.closePopup();
  }

  restoreFocus() {
    const element = this.returnTo?.getElement?.();
    this.returnTo = null;
    if (element?.isConnected) element.focus({ preventScroll: true });
  }

  showOnMap(i) {
    this.map.setView([this.data.lat[i], this.data.lon[i]], Math.max(this.map.getZoom(), 15), { animate: false });
    this.part('map').scrollIntoView({ block: 'nearest' });
    this.openPlace(i, null);
  }
}
