// What is drawn: clusters and places as real buttons, outlines in SVG (they follow the theme), names of territories.

import { outlines } from './map_data.js';
import { MARKS, make, markOf } from './map_text.js';

const COMMUNE_ZOOM = 9;
const DEPARTEMENT_NAMES_ZOOM = 7;
const COMMUNE_NAMES_ZOOM = 11;
const MAX_DEPARTEMENTS = 14;
const SAME_SPOT = 200;
const WIDE_ZOOM = 12;
export const MAX_ZOOM = 18;

const overlaps = (box, bounds) => box[0] <= bounds.getEast() && box[2] >= bounds.getWest()
  && box[1] <= bounds.getNorth() && box[3] >= bounds.getSouth();

// ---- Clusters and places -------------------------------------------------------------------------------------------

export class Places {
  /** `open(index, marker)` shows one place, `openList(indices, latlng, marker)` several at the same spot. */
  constructor({ L, Supercluster }, map, data, { open, openList, label }) {
    Object.assign(this, { L, Supercluster, map, data, open, openList, label });
    this.layer = L.layerGroup().addTo(map);
    this.markers = new Map();
    this.features = null;
    this.generation = 0;
  }

  /** Index the chosen places, then draw. */
  select(selected) {
    const { lon, lat, n } = this.data;
    if (!this.features) {
      this.features = Array.from({ length: n }, (_, i) => ({ properties: i, geometry: { coordinates: [lon[i], lat[i]] } }));
    }
    this.selected = selected;
    this.wide = this.cluster(selected.length === n ? this.features : Array.from(selected, (i) => this.features[i]), WIDE_ZOOM);
    this.close = null;
    this.draw();
  }

  cluster(features, maxZoom) {
    const index = new this.Supercluster({ radius: 68, extent: 256, minZoom: 3, maxZoom });
    index.load(features);
    this.generation += 1;
    return { index, generation: this.generation };
  }

  /**
   * The whole country is clustered down to WIDE_ZOOM only: the finer levels would take three quarters of the time.
   * Closer views have few places, which are clustered when the view leaves the area of the last time.
   */
  indexFor(bounds, zoom) {
    if (zoom <= WIDE_ZOOM) return this.wide;
    if (!this.close?.area.contains(bounds)) {
      const area = bounds.pad(1);
      const [west, south, east, north] = [area.getWest(), area.getSouth(), area.getEast(), area.getNorth()];
      const { lon, lat } = this.data;
      const inside = this.selected.filter((i) => lon[i] >= west && lon[i] <= east && lat[i] >= south && lat[i] <= north);
      this.close = { ...this.cluster(Array.from(inside, (i) => this.features[i]), MAX_ZOOM), area };
    }
    return this.close;
  }

  draw() {
    if (!this.wide) return;
    const bounds = this.map.getBounds().pad(0.15);
    // Between two whole zooms, the clusters of the lower one leave room around each mark.
    const zoom = Math.floor(this.map.getZoom() + 0.25);
    const { index, generation } = this.indexFor(bounds, zoom);
    const box = [Math.max(bounds.getWest(), -180), bounds.getSouth(), Math.min(bounds.getEast(), 180), bounds.getNorth()];
    const wanted = new Map();
    for (const feature of index.getClusters(box, zoom)) {
      const cluster = typeof feature.properties === 'object';
      wanted.set(cluster ? `g${generation}-${feature.properties.cluster_id}` : `p${feature.properties}`, feature);
    }
    // Markers that stay are kept, so that the keyboard focus and an open popup survive a move.
    for (const [key, marker] of this.markers) {
      if (!wanted.has(key)) {
        this.layer.removeLayer(marker);
        this.markers.delete(key);
      }
    }
    for (const [key, feature] of wanted) {
      if (!this.markers.has(key)) this.markers.set(key, this.add(feature, index));
    }
  }

  add(feature, index) {
    const [lon, lat] = feature.geometry.coordinates;
    const isCluster = typeof feature.properties === 'object';
    const icon = isCluster ? this.clusterIcon(feature.properties.point_count) : this.placeIcon(feature.properties);
    const marker = this.L.marker([lat, lon], { icon, riseOnHover: true });
    const act = () => (isCluster ? this.openCluster(feature, index, marker) : this.open(feature.properties, marker));
    marker.on('add', () => {
      const text = isCluster
        ? `Groupe de ${shownSize(feature.properties.point_count)} lieux, ouvrir`
        : this.label(feature.properties);
      marker.getElement().setAttribute('aria-label', text);
      marker.getElement().title = isCluster ? '' : text;
      // Leaflet answers to Enter only for the popups it binds itself.
      marker.getElement().addEventListener('keydown', (event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        event.stopPropagation();
        act();
      });
    });
    marker.on('click', act);
    marker.addTo(this.layer);
    return marker;
  }

  clusterIcon(size) {
    const width = size < 10 ? 30 : size < 100 ? 36 : size < 1000 ? 44 : 50;
    return this.L.divIcon({ className: 'cluster', html: make('span', { text: shownSize(size) }), iconSize: [width, width] });
  }

  placeIcon(index) {
    const { header, kind } = this.data;
    const category = header.categories[header.types[kind[index]].category];
    return this.L.divIcon({ className: 'place', html: markOf(category), iconSize: [24, 24] });
  }

  /** Pixels of the drawn marks. */
  pixels() {
    return Array.from(this.markers.values(), (marker) => this.map.latLngToContainerPoint(marker.getLatLng()));
  }

  openCluster(feature, index, marker) {
    const id = feature.properties.cluster_id;
    const [lon, lat] = feature.geometry.coordinates;
    const zoom = index.getClusterExpansionZoom(id);
    if (zoom <= MAX_ZOOM) {
      this.map.setView([lat, lon], Math.max(zoom, Math.floor(this.map.getZoom()) + 1));
      return;
    }
    this.openList(index.getLeaves(id, SAME_SPOT).map((leaf) => leaf.properties), [lat, lon], marker);
  }

  /** Names arrive after the places: give the markers their full label. */
  relabel() {
    for (const [key, marker] of this.markers) {
      if (key.startsWith('p')) {
        const text = this.label(Number(key.slice(1)));
        marker.getElement()?.setAttribute('aria-label', text);
        if (marker.getElement()) marker.getElement().title = text;
      }
    }
  }
}

// ---- Outlines and names of territories -----------------------------------------------------------------------------

export class Outlines {
  /** `marks()` gives the pixels taken by the places; `onError(error)` is told of a missing file. */
  constructor(L, map, { base, snapshot, marks, onError }) {
    Object.assign(this, { L, map, base, snapshot, marks, onError });
    const pane = (name, order) => {
      map.createPane(name).style.zIndex = order;
      map.getPane(name).style.pointerEvents = 'none';
    };
    pane('territories', 200);
    pane('chosen', 350);
    pane('labels', 450);
    this.renderers = { territories: L.svg({ pane: 'territories', padding: 0.3 }), chosen: L.svg({ pane: 'chosen' }) };
    this.labels = L.layerGroup().addTo(map);
    this.communes = new Map();
    // Files may still be on their way when the page is left.
    this.gone = false;
    map.once('unload', () => { this.gone = true; });
    this.ready = this.loadDepartements();
  }

  shape(data, className, pane = 'territories') {
    // Colours come from the style sheet, by class: they follow the theme without redrawing.
    return this.L.geoJSON(data, { interactive: false, renderer: this.renderers[pane], pane, className });
  }

  async loadDepartements() {
    this.departements = await outlines(this.base, this.snapshot, 'departements');
    this.departementLayer = this.shape(this.departements, 'outline departement');
    await this.draw();
  }

  async draw() {
    if (!this.departements || this.gone) return;
    const zoom = this.map.getZoom();
    const bounds = this.map.getBounds();
    const close = zoom >= COMMUNE_ZOOM
      ? this.departements.features.filter((item) => overlaps(item.bbox, bounds)).map((item) => item.properties.code)
      : [];
    const wanted = close.length <= MAX_DEPARTEMENTS ? close : [];
    await Promise.all(wanted.map((code) => this.loadCommunes(code)));
    // The view may have changed while the files came: only the last one is drawn.
    if (this.gone || zoom !== this.map.getZoom()) return;
    const drawable = wanted.filter((code) => this.communes.has(code));
    for (const [code, entry] of this.communes) {
      const shown = drawable.includes(code);
      if (shown !== this.map.hasLayer(entry.layer)) this.map[shown ? 'addLayer' : 'removeLayer'](entry.layer);
    }
    const showDepartements = drawable.length === 0 || drawable.length < wanted.length;
    if (showDepartements !== this.map.hasLayer(this.departementLayer)) {
      this.map[showDepartements ? 'addLayer' : 'removeLayer'](this.departementLayer);
    }
    this.drawLabels(drawable, zoom);
  }

  async loadCommunes(code) {
    if (this.communes.has(code)) return;
    try {
      const data = await outlines(this.base, this.snapshot, `communes-${code}`);
      // One path for the whole department: thousands of separate ones would slow every move.
      const merged = { type: 'MultiPolygon', coordinates: data.features.flatMap((item) => item.geometry.coordinates) };
      this.communes.set(code, { data, layer: this.shape(merged, 'outline commune') });
    } catch (error) {
      this.onError(error);
    }
  }

  drawLabels(codes, zoom) {
    this.labels.clearLayers();
    let items = [];
    if (codes.length && zoom >= COMMUNE_NAMES_ZOOM) items = codes.flatMap((code) => this.communes.get(code).data.features);
    else if (zoom >= DEPARTEMENT_NAMES_ZOOM && zoom < COMMUNE_ZOOM) items = this.departements.features;
    const bounds = this.map.getBounds();
    const taken = [];
    const marks = items.length ? this.marks() : [];
    for (const item of items) {
      const [lon, lat] = item.properties.ancre;
      if (!bounds.contains([lat, lon])) continue;
      const at = this.map.latLngToContainerPoint([lat, lon]);
      const half = item.properties.nom.length * 3.6 + 6;
      // A name goes under the mark that would hide it.
      const over = marks.find((mark) => Math.abs(mark.x - at.x) < half + 12 && Math.abs(mark.y - at.y) < 22);
      const shift = over ? over.y + 26 - at.y : 0;
      at.y += shift;
      if (taken.some((other) => Math.abs(other.x - at.x) < other.half + half && Math.abs(other.y - at.y) < 18)) continue;
      taken.push({ x: at.x, y: at.y, half });
      const html = make('span', { 'text': item.properties.nom, 'aria-hidden': 'true' });
      const icon = this.L.divIcon({ className: 'name', html, iconSize: [0, 0], iconAnchor: [0, -shift] });
      this.L.marker([lat, lon], { icon, interactive: false, keyboard: false, pane: 'labels' }).addTo(this.labels);
    }
  }

  /** Highlight a commune; its outline comes with the page or from the file of its department. */
  async choose(commune) {
    this.chosen?.remove();
    this.chosen = null;
    this.commune = commune;
    if (!commune) return;
    let { geometry } = commune;
    if (!geometry) {
      const departement = /^9[78]/.test(commune.code) ? commune.code.slice(0, 3) : commune.code.slice(0, 2);
      await this.loadCommunes(departement);
      const found = this.communes.get(departement)?.data.features.find((item) => item.properties.code === commune.code);
      geometry = found?.geometry;
    }
    if (geometry && !this.gone && this.commune === commune) this.chosen = this.shape(geometry, 'outline chosen', 'chosen').addTo(this.map);
  }
}

/** What a group shows, and what its name says: « 1 204 », « 12 k ». */
const shownSize = (size) => (size < 10_000 ? size.toLocaleString('fr-FR') : `${Math.round(size / 1000)} k`);

export const legendOf = (categories) => make('ul', { 'class': 'legend', 'aria-label': 'Légende' },
  ...categories.map((name) => make('li', {}, markOf(name), MARKS[name]?.label ?? name)),
  make('li', {}, make('span', { 'class': 'cluster sample', 'aria-hidden': 'true', 'text': '12' }), 'Groupe de lieux'));
