"""Standalone map of one town (folium): one HTML file that works from a disk, without network.

Every library is written inside the page, and its content security policy forbids any request.

branca renders the output of an element a second time, as a template: a place called ``{{ … }}`` would be run. So
folium only draws the map and the outline, with marks in four slots; our own parts are rendered apart, with automatic
escaping, and put in the slots afterwards. In the script the texts are JSON that become text nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import folium
import jinja2
import polars as pl
from branca.element import MacroElement
from folium.template import Template

from bourg.errors import SourceUnavailableError
from bourg.maps.outlines import CommuneShape
from bourg.maps.places import DEMO_NOTICE
from bourg.maps.points import CATEGORIES, UNCLASSIFIED

# Category -> letter, colour and shape of its mark: the colour never tells alone. White text on each colour has a
# contrast above 4.5 (WCAG 1.4.3).
MARKS = {
    CATEGORIES[0]: ("P", "#a8480b", "carre"),
    CATEGORIES[1]: ("S", "#7535c9", "losange"),
    CATEGORIES[2]: ("V", "#0f6e66", "rond"),
    UNCLASSIFIED: ("?", "#5b6470", "rond"),
}
_SCRIPTS = ("leaflet.js", "leaflet.markercluster.js")
_STYLES = ("leaflet.css", "MarkerCluster.css", "MarkerCluster.Default.css")
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"

_PARTS = {
    "HEADER": """
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<title>{{ page.title }}</title>
{% for style in styles %}<style>{{ style|safe }}</style>
{% endfor %}{% for script in scripts %}<script>{{ script|safe }}</script>
{% endfor %}""",
    "BEFORE": """
<header><h1>{{ page.title }}</h1>
<p>{{ page.summary }}</p>
{% if page.demo %}<p class="demo">{{ notice }}</p>{% endif %}</header>
""",
    "AFTER": """
<ul class="legende" aria-label="Légende">
{% for mark in legend %}<li><span class="marque {{ mark.shape }}" style="background:{{ mark.colour }}"
 aria-hidden="true"><span>{{ mark.letter }}</span></span>{{ mark.label }} : {{ mark.count }}</li>
{% endfor %}</ul>
<div class="defile"><table><caption>Les lieux de la carte</caption>
<thead><tr><th scope="col">Nom</th><th scope="col">Type</th><th scope="col">Catégorie</th></tr></thead><tbody>
{% for place in rows %}
<tr><td>{{ place.name }}</td><td>{{ place.type }}</td><td>{{ place.category }}</td></tr>
{% endfor %}</tbody></table></div>
<footer><p>{{ page.source }}</p></footer>
""",
    "SCRIPT": """
(function () {
  const map = {{ map }};
  const places = {{ places|tojson }};
  const marks = {{ marks|tojson }};
  map.attributionControl.setPrefix('Leaflet');
  L.control.scale({ imperial: false }).addTo(map);
  for (const [name, title] of [['in', 'Zoomer'], ['out', 'Dézoomer']]) {
    const button = map.getContainer().querySelector('.leaflet-control-zoom-' + name);
    button.title = title;
    button.setAttribute('aria-label', title);
  }
  const line = (parent, tag, text) => {
    const node = document.createElement(tag);
    node.textContent = text;
    parent.appendChild(node);
  };
  const group = L.markerClusterGroup({
    showCoverageOnHover: false,
    maxClusterRadius: 45,
    iconCreateFunction: (cluster) => {
      const html = document.createElement('span');
      line(html, 'span', cluster.getChildCount());
      line(html, 'span', ' lieux, ouvrir');
      html.lastChild.className = 'lu';
      return L.divIcon({ className: 'groupe', html: html, iconSize: [40, 40] });
    },
  });
  for (const [name, type, category, lat, lon, demo] of places) {
    const mark = marks[category];
    const sign = document.createElement('span');
    sign.className = 'marque ' + mark.shape;
    sign.style.background = mark.colour;
    line(sign, 'span', mark.letter);
    const icon = L.divIcon({ className: '', html: sign, iconSize: [24, 24] });
    const popup = document.createElement('div');
    line(popup, 'strong', name);
    line(popup, 'div', type + ' (' + category + ')');
    if (demo) line(popup, 'em', 'Donnée de démonstration');
    const marker = L.marker([lat, lon], { icon: icon, alt: name }).bindPopup(popup);
    marker.on('add', () => marker.getElement().setAttribute('aria-label', name + ', ' + type));
    group.addLayer(marker);
  }
  group.addTo(map);
})();
""",
}
_TEMPLATES = jinja2.Environment(autoescape=True)


@dataclass(frozen=True)
class TownPage:
    """Texts of the page: title, one summary sentence, source, and whether a place is generated."""

    title: str
    summary: str
    source: str
    demo: bool


class _Map(folium.Map):
    """A folium map that asks nothing of any other host, with a stable name in the page."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012 - folium declares it so
    default_css: list[tuple[str, str]] = []  # noqa: RUF012

    def __init__(self, centre: tuple[float, float]) -> None:
        super().__init__(
            location=list(centre),
            zoom_start=12,
            tiles=None,
            max_zoom=18,
            height="65vh",
            maxZoom=18,
            zoomSnap=0.5,
        )
        self._id = "ville"


class _Slot(MacroElement):
    """Marks where our parts go: ``section`` is ``header``, ``html`` or ``script``."""

    def __init__(self, section: str, mark: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = self._id = mark.lower()
        self._template = Template(f"{{% macro {section}(this, kwargs) %}}{_slot(mark)}{{% endmacro %}}")


def _slot(mark: str) -> str:
    return f"/*BOURG-{mark}*/"


class _Outline(folium.GeoJson):
    """The polygon of the town, under a stable name in the page."""

    def __init__(self, geometry: dict[str, Any], style: dict[str, Any]) -> None:
        super().__init__(geometry, style_function=lambda _: style, control=False)
        self._id = "contour"


def town_map_html(shape: CommuneShape, places: pl.DataFrame, page: TownPage, libraries: Path) -> str:
    """Return the page: polygon, clustered places with details on click, legend, table, source.

    Parameters
    ----------
    shape
        Outline of the town.
    places
        As :func:`bourg.maps.places.select_places` gives them; those without coordinates appear in the table only.
    page
        Texts of the page.
    libraries
        Folder given by ``bourg.web.assets.ensure_assets``.

    Raises
    ------
    SourceUnavailableError
        When the libraries are not installed.
    """
    try:
        scripts = [
            (libraries / name).read_text(encoding="utf-8").replace("</script", "<\\/script") for name in _SCRIPTS
        ]
        styles = [(libraries / name).read_text(encoding="utf-8") for name in _STYLES]
    except OSError as error:
        raise SourceUnavailableError(
            "Les bibliothèques de la carte ne sont pas installées.", why=str(error), next_step="lancez : make install."
        ) from error
    own = resources.files("bourg.maps").joinpath("town.css").read_text(encoding="utf-8")
    rows = places.select(
        pl.col("name", "type").fill_null(""),
        pl.when(pl.col("category").is_in(CATEGORIES))
        .then("category")
        .otherwise(pl.lit(UNCLASSIFIED))
        .alias("category"),
        "latitude",
        "longitude",
        pl.col("demo").fill_null(value=False),
    )
    counts = dict(rows.group_by("category").len().iter_rows())
    located = rows.filter(pl.col("latitude").is_not_null() & pl.col("longitude").is_not_null())
    marks = {label: {"letter": m[0], "colour": m[1], "shape": m[2]} for label, m in MARKS.items()}
    shown = [label for label in MARKS if label in counts or label != UNCLASSIFIED]
    html, map_name = _base(shape)
    values = {
        "page": page,
        "policy": _POLICY,
        "notice": DEMO_NOTICE,
        "scripts": scripts,
        "styles": [*styles, own],
        "rows": rows.to_dicts(),
        "legend": [{"label": label, "count": counts.get(label, 0), **marks[label]} for label in shown],
        "map": map_name,
        "places": [list(row) for row in located.iter_rows()],
        "marks": marks,
    }
    for mark, source in _PARTS.items():
        before, after = html.split(_slot(mark))
        html = before + _TEMPLATES.from_string(source).render(values) + after
    return html


def _base(shape: CommuneShape) -> tuple[str, str]:
    """Return what folium draws (map and outline, with our slots), and the name of the map in its script."""
    west, south, east, north = shape.bounds
    drawn = _Map(((south + north) / 2, (west + east) / 2))
    root = drawn.get_root()
    # These two have to come before the map in the page.
    root.add_child(_Slot("header", "HEADER"), name="header", index=0)
    root.add_child(_Slot("html", "BEFORE"), name="before", index=1)
    _Outline(shape.geometry, {"color": "#c2410c", "weight": 2.5, "fillColor": "#f59e0b", "fillOpacity": 0.12}).add_to(
        drawn
    )
    _Slot("html", "AFTER").add_to(drawn)
    _Slot("script", "SCRIPT").add_to(drawn)
    drawn.fit_bounds([[south, west], [north, east]], padding=(20, 20))
    html = str(root.render())
    # folium writes neither the language nor a viewport that lets people zoom in.
    html = html.replace("<html>", '<html lang="fr">', 1).replace(
        "maximum-scale=1.0, user-scalable=no", "maximum-scale=5.0", 1
    )
    return html, drawn.get_name()
