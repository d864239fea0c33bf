// What the map reads by URL: libraries, places, names, outlines. Each is fetched once and shared by all maps.

const cache = new Map();

function once(key, load) {
  if (!cache.has(key)) {
    const promise = load();
    // A failure is forgotten, so that "Réessayer" asks again.
    promise.catch(() => cache.delete(key));
    cache.set(key, promise);
  }
  return cache.get(key);
}

async function get(url) {
  const response = await fetch(url).catch(() => {
    throw new Error('Le serveur ne répond pas : vérifiez votre connexion.');
  });
  if (!response.ok) {
    const details = await response.json().catch(() => ({}));
    throw new Error([details.quoi, details.pourquoi, details.que_faire].filter(Boolean).join(' ') || `Erreur ${response.status}.`);
  }
  return response;
}

function loadScript(url) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = url;
    script.onload = resolve;
    script.onerror = () => reject(new Error('Une bibliothèque de la carte n’a pas pu être chargée.'));
    document.head.append(script);
  });
}

/** Load Leaflet and Supercluster, which sit beside this file. */
export function libraries() {
  return once('libraries', async () => {
    const beside = (name) => new URL(name, import.meta.url).href;
    await Promise.all([
      window.L?.map ? null : loadScript(beside('leaflet.js')),
      window.Supercluster ? null : loadScript(beside('supercluster.js')),
    ]);
    return { L: window.L, Supercluster: window.Supercluster };
  });
}

/** Undo the byte planes and the differences of bourg/maps/points.py; return degrees. */
function degrees(bytes, offset, n, scale) {
  const values = new Float64Array(n);
  let sum = 0;
  for (let i = 0; i < n; i += 1) {
    const p = offset + i;
    const raw = (bytes[p] | (bytes[p + n] << 8) | (bytes[p + 2 * n] << 16) | (bytes[p + 3 * n] << 24)) >>> 0;
    sum += raw & 1 ? -((raw + 1) / 2) : raw / 2;
    values[i] = sum / scale;
  }
  return values;
}

export function decodePoints(buffer) {
  const bytes = new Uint8Array(buffer);
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== 'BPT1') throw new Error('Le fichier des lieux est illisible.');
  const length = new DataView(buffer).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const base = 8 + length;
  const at = Object.fromEntries(header.columns.map((column) => [column.name, base + column.offset]));
  const { n } = header;
  const counts = new Uint16Array(buffer, at.commune_counts, header.communes.length);
  const commune = new Uint32Array(n);
  for (let c = 0, i = 0; c < counts.length; c += 1) {
    commune.fill(c, i, i + counts[c]);
    i += counts[c];
  }
  return {
    header, n, commune,
    lon: degrees(bytes, at.lon, n, header.scale),
    lat: degrees(bytes, at.lat, n, header.scale),
    kind: bytes.subarray(at.kind, at.kind + n),
    flags: bytes.subarray(at.flags, at.flags + n),
  };
}

export function points(base, snapshot) {
  return once(`points ${snapshot}`, async () => {
    const response = await get(`${base}/points/${encodeURIComponent(snapshot)}.bin`);
    return decodePoints(await response.arrayBuffer());
  });
}

/** Names of the communes and of the places, in the order of the points. */
export function names(base, snapshot) {
  return once(`names ${snapshot}`, async () => {
    const response = await get(`${base}/noms/${encodeURIComponent(snapshot)}.txt`);
    const lines = (await response.text()).split('\n');
    const m = Number(lines[0]);
    return { communes: lines.slice(1, m + 1), places: lines.slice(m + 1, -1) };
  });
}

export function outlines(base, snapshot, name) {
  const url = `${base}/contours/${encodeURIComponent(snapshot)}/${encodeURIComponent(name)}.json`;
  return once(url, async () => (await get(url)).json());
}
