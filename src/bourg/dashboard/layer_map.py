"""A map of layers in a Streamlit page: polygons, lines and points by URL, a legend, clicks that come back.

What travels through the websocket is the list of the layers with the addresses of their contents: about 2 kB. A layer
that did not change keeps its address and its version: the browser neither asks for it nor draws it again, and the view
moves only when ``bounds`` change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from bourg.dashboard.browser_component import BASE, show_component
from bourg.errors import ParameterError
from bourg.maps.choropleth import Palette
from bourg.web.layers import LAYERS

Pattern = Literal["missing", "secret", "not_applicable", "unreachable"]
PATTERNS: tuple[Pattern, ...] = ("missing", "secret", "not_applicable", "unreachable")
# Below this size a content travels with the page: one request less.
_INLINE_BYTES = 3_000


@dataclass(frozen=True)
class Feature:
    """What is known of one shape.

    Attributes
    ----------
    name, text
        Title and text of the tooltip and of the card; plain text.
    colour
        Position in the palette of the layer; ``None`` for a shape without colour.
    pattern
        Drawn instead of the colour when there is no value, and why there is none.
    href
        Address of the page about it, offered in the card.
    """

    name: str
    text: str = ""
    colour: int | None = None
    pattern: Pattern | None = None
    href: str | None = None


@dataclass(frozen=True)
class Layer:
    """One layer of the map, drawn above those before it.

    Attributes
    ----------
    id
        Name of the layer, unique on the map; comes back in :class:`Click`.
    kind
        Points are circles of ``radius`` pixels.
    source
        GeoJSON (EPSG:4326): one or several addresses under ``/bourg/``, or the content itself.
    features
        By identifier; a shape that is not named is not drawn. ``None`` takes everything from the properties of the
        GeoJSON: ``nom``, ``texte``, ``couleur``, ``motif``, ``lien``, all optional, and draws every shape.
    id_property
        Property of the GeoJSON that holds the identifier.
    palette
        Colours that ``Feature.colour`` and ``couleur`` number; without it the shapes are outlines or plain marks.
    label
        French name of the layer, for those who do not see it.
    style
        ``fill``: colours with thin borders; ``outline``: a strong border and no fill; ``quiet``: a thin border.
    opacity
        Opacity of the fill, 0 to 1.
    weight, radius
        Width of the lines, radius of the points, in pixels; ``None`` takes that of the style.
    interactive
        Whether the shapes answer to the pointer. A layer of more than 3,000 shapes is drawn on a canvas, which hides
        those under it from the pointer.
    """

    id: str
    kind: Literal["polygons", "lines", "points"]
    source: str | Sequence[str] | Mapping[str, Any]
    features: Mapping[str, Feature] | None = None
    id_property: str = "code"
    palette: Palette | None = None
    label: str = ""
    style: Literal["fill", "outline", "quiet"] = "fill"
    opacity: float = 0.9
    weight: float | None = None
    radius: float = 6
    interactive: bool = True


@dataclass(frozen=True)
class LegendItem:
    """One line of the legend: a colour of the palette, or a pattern; ``count`` is a text (« 12 communes »)."""

    label: str
    count: str = ""
    colour: int | None = None
    pattern: Pattern | None = None


@dataclass(frozen=True)
class Legend:
    """The legend, in HTML beside the map."""

    title: str
    items: Sequence[LegendItem]
    palette: Palette | None = None
    note: str = ""


@dataclass(frozen=True)
class Click:
    """Where the map was clicked; ``layer`` and ``feature_id`` name the shape under the click, if any."""

    lon: float
    lat: float
    layer: str | None = None
    feature_id: str | None = None


@dataclass(frozen=True)
class LayerMapResult:
    """What the map says, during the one run that follows the action.

    Attributes
    ----------
    clicked
        The click, when ``on_click`` asks for it.
    opened
        Identifier of the shape whose card link was followed.
    """

    clicked: Click | None = None
    opened: str | None = None


# Several lines: Streamlit takes a one-line text for a file name.
_SKELETON = """
<link rel="stylesheet" href="{assets}/leaflet.css">
<link rel="stylesheet" href="{assets}/layer_map.css">
<section class="layer-map" data-state="loading" aria-busy="true">
  <div class="toolbar" data-part="toolbar"></div>
  <div class="frame" data-part="frame">
    <div class="map" data-part="map" style="height:460px"></div>
    <div class="hint" data-part="hint" aria-hidden="true" hidden></div>
    <div class="overlay loading" role="status">Chargement de la carte…</div>
    <div class="overlay error" data-part="error" role="alert"></div>
  </div>
  <div data-part="legend"></div>
  <p class="note" data-part="note" role="status"></p>
</section>
"""


def layer_map(
    *,
    key: str,
    layers: Sequence[Layer],
    bounds: Sequence[float],
    height: int = 460,
    legend: Legend | None = None,
    label: str = "Carte",
    on_click: Literal["point", "feature"] | None = None,
    snapshot_id: str | None = None,
    picker: str | None = None,
    link_label: str = "Voir la page",
    on_clicked: Callable[[], None] | None = None,
    on_opened: Callable[[], None] | None = None,
) -> LayerMapResult:
    """Show layers on a map; a run that changes one of them leaves the others, and the view, as they are.

    Parameters
    ----------
    key
        Identifies the map between runs.
    layers
        From the lowest to the highest.
    bounds
        West, south, east, north, in degrees; the view goes there when they change, and only then.
    height
        Height of the map in pixels.
    legend
        Shown under the map.
    label
        French name of the map, for those who do not see it.
    on_click
        ``point``: any click comes back, with the shape under it; ``feature``: only a click on a shape; ``None``:
        clicks open the card of the shape and no message goes to the server.
    snapshot_id
        Draws the outlines of departments and communes of this snapshot under the layers, with their names.
    picker
        Identifier of the layer whose shapes are listed above the map, for the keyboard and for small screens.
    link_label
        Text of the link of the cards.
    on_clicked, on_opened
        Called before the run that the action caused.

    Raises
    ------
    ParameterError
        When two layers have the same identifier, when an address is not under ``/bourg/``, or when the bounds are
        not four coordinates in order.
    """
    _check(layers, bounds)
    data = {
        "snapshot": snapshot_id,
        "height": height,
        "label": label,
        "bounds": [round(float(side), 5) for side in bounds],
        "layers": [_describe(layer) for layer in layers],
        "legend": None if legend is None else _describe_legend(legend),
        "click": on_click,
        "picker": picker,
        "link_label": link_label,
    }
    events = {"clicked": on_clicked, "opened": on_opened}
    result = show_component("layer_map", _SKELETON, key=key, data=data, events=events)
    return LayerMapResult(_click_of(result.clicked), str(result.opened) if result.opened else None)


def _check(layers: Sequence[Layer], bounds: Sequence[float]) -> None:
    names = [layer.id for layer in layers]
    if len(set(names)) != len(names):
        raise ParameterError("Deux couches de la carte ont le même nom.", where=", ".join(names))
    for layer in layers:
        if not isinstance(layer.source, Mapping):
            wrong = [address for address in _addresses(layer.source) if not address.startswith(f"{BASE}/")]
            if wrong:
                raise ParameterError("La carte ne lit que les adresses de Bourg.", where=wrong[0][:200])
    west, south, east, north = bounds if len(bounds) == 4 else (1, 1, 0, 0)
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ParameterError(
            "L'emprise de la carte n'est pas faite de quatre coordonnées en ordre.",
            where=str(list(bounds))[:100],
            next_step="donnez ouest, sud, est, nord, en degrés.",
        )


def _addresses(source: str | Sequence[str]) -> list[str]:
    return [source] if isinstance(source, str) else list(source)


def _describe(layer: Layer) -> dict[str, Any]:
    """Return what the browser needs of a layer; ``version`` changes with anything that changes the drawing."""
    content: dict[str, Any] = {
        "id": layer.id, "kind": layer.kind, "label": layer.label, "style": layer.style, "opacity": layer.opacity,
        "weight": layer.weight, "radius": layer.radius, "interactive": layer.interactive,
        "id_property": layer.id_property, "palette": _describe_palette(layer.palette),
        "features": None if layer.features is None else _contents(_packed(layer.features)),
    }  # fmt: skip
    if isinstance(layer.source, Mapping):
        content["sources"] = [_contents(layer.source)]
    else:
        content["sources"] = [{"url": address} for address in _addresses(layer.source)]
    version = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return {**content, "version": version}


def _packed(features: Mapping[str, Feature]) -> dict[str, list[Any]]:
    """Return the features as short lists: the names of the fields would be half of the bytes."""
    return {
        identifier: [item.name, item.text, item.colour, item.pattern, item.href]
        for identifier, item in features.items()
    }


def _contents(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content itself when it is short, else the address where the server holds it."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    if len(body) <= _INLINE_BYTES:
        return {"inline": content}
    return {"url": f"{BASE}/couches/{LAYERS.put(body)}.json"}


def _describe_palette(palette: Palette | None) -> dict[str, list[str]] | None:
    return None if palette is None else {"light": list(palette.light), "dark": list(palette.dark)}


def _describe_legend(legend: Legend) -> dict[str, Any]:
    return {
        "title": legend.title,
        "note": legend.note,
        "palette": _describe_palette(legend.palette),
        "items": [
            {"label": item.label, "count": item.count, "colour": item.colour, "pattern": item.pattern}
            for item in legend.items
        ],
    }


def _is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a number; for Python a boolean is one, and yet not a place."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _click_of(value: object) -> Click | None:
    """Return the click that the browser sent; what is not one is left aside, since anyone may write it."""
    if not isinstance(value, Mapping):
        return None
    lon, lat = value.get("lon"), value.get("lat")
    if not (_is_number(lon) and _is_number(lat) and abs(lon) <= 180 and abs(lat) <= 90):
        return None
    layer, feature = value.get("layer"), value.get("feature_id")
    return Click(
        float(lon),
        float(lat),
        layer if isinstance(layer, str) else None,
        feature if isinstance(feature, str) else None,
    )


__all__ = ["PATTERNS", "Click", "Feature", "Layer", "LayerMapResult", "Legend", "LegendItem", "layer_map"]
