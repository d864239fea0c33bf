"""From an extract to a table: objects of a theme, in a territory, one row each."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
from osmium.filter import KeyFilter, TagFilter

from bourg.access.places.osm_places import OsmObject, read_objects
from bourg.extract.files import LocalExtract, keep, stamp_of, work_folder
from bourg.extract.territory import Territories, Territory
from bourg.extract.themes import ADDRESS, NAME, WITHHELD, Category, Theme
from bourg.settings import Settings
from bourg.store.cache import code_digest, digest
from bourg.text import unaccented

LICENCE = "Licence ODbL 1.0 (opendatacommons.org/licenses/odbl)"
ATTRIBUTION = "© les contributeurs d'OpenStreetMap"
LICENCE_URL = "https://opendatacommons.org/licenses/odbl/1-0/"
Progress = Callable[[str, float], None]
# Packages whose code or declarations decide what is in a table that is kept.
_CODE = ("extract", "access/places", "access/parameters", "commerce")
_MOST_KEPT = 60
_MOST_HELD = 12
_BASE = {
    "osm_id": pl.String, "geometry": pl.String, "group": pl.String, "category": pl.String, "category_id": pl.String,
    "other_categories": pl.String, "tag": pl.String,
}  # fmt: skip
_PLACE = {"longitude": pl.Float64, "latitude": pl.Float64, "area_m2": pl.Float64, "completeness": pl.Int64}


@dataclass(frozen=True)
class Source:
    """Where the objects come from.

    Attributes
    ----------
    kind
        A local extract, or the answer of an Overpass server.
    name
        Name of the file, or host of the server.
    date
        ISO date of the data, ``""`` when it is unknown.
    share
        Share of the surface of the territory inside the source, 0 to 1.
    declared
        Whether the source says what it covers.
    """

    kind: Literal["local", "overpass"]
    name: str
    date: str
    share: float
    declared: bool = True


@dataclass(frozen=True)
class Extraction:
    """A theme in a territory.

    Attributes
    ----------
    theme, territory, source
        What was asked, and from where it comes.
    table
        One row per object: ``osm_id, geometry, group, category, category_id, other_categories, tag, name``, the columns
        of the theme, ``code, commune, longitude, latitude, area_m2, completeness``. ``geometry`` is ``point``,
        ``surface`` or ``ligne`` (a line, or an outline that the source does not hold whole). ``completeness`` is the
        percentage of the expected columns that are filled, null when none is expected.
    unplaced
        Objects of the theme in the whole source whose geometry is missing: they are in no territory.
    withheld
        Objects whose names are left out, because they may be those of a person.
    """

    theme: Theme
    territory: Territory
    source: Source
    table: pl.DataFrame
    unplaced: int
    withheld: int

    def counts(self) -> pl.DataFrame:
        """Return the number of objects by group and category: ``group, category, count, named, completeness``.

        ``named`` counts those that have a name; ``completeness`` is the mean percentage, null when nothing is expected.
        """
        named = pl.col(NAME).is_not_null().sum().alias("named")
        return self.table.group_by("group", "category", maintain_order=True).agg(
            pl.len().alias("count"), named, pl.col("completeness").mean()
        )


def schema_of(theme: Theme) -> dict[str, type[pl.DataType]]:
    """Return the columns of the table of a theme, before the commune is known."""
    return {**_BASE, **dict.fromkeys(theme.headings(), pl.String), **_PLACE}


def _filter(theme: Theme) -> KeyFilter | TagFilter:
    """Return a filter that lets every object of a theme through; lists of values need the keys alone."""
    wanted = theme.selectors()
    if any(item.values is None or item.lists for item in wanted):
        return KeyFilter(*(item.key for item in wanted))
    return TagFilter(*((item.key, value) for item in wanted for value in item.values or ()))


def address_of(tags: Mapping[str, str]) -> str | None:
    """Return ``12 rue de la Gare, 35600 Redon`` from the tags of an address, ``None`` without any."""
    street = tags.get("addr:street") or tags.get("addr:place") or ""
    first = " ".join(part for part in (tags.get("addr:housenumber", ""), street) if part)
    town = " ".join(part for part in (tags.get("addr:postcode", ""), tags.get("addr:city", "")) if part)
    return ", ".join(part for part in (first, town) if part) or None


def _row(theme: Theme, item: OsmObject, category: Category, others: tuple[Category, ...]) -> dict[str, object]:
    values: dict[str, str | None] = {NAME: item.tags.get("name", "").strip() or None}
    values |= {column.id: column.value(item.tags) for column in theme.columns}
    if theme.address:
        values[ADDRESS] = address_of(item.tags)
    filled = [values.get(name) for name in category.expected]
    # Measured before names are left out: what the map lacks is one thing, what we do not copy is another.
    completeness = round(100 * sum(value is not None for value in filled) / len(filled)) if filled else None
    if category.personal:
        values = {name: None if name in WITHHELD else value for name, value in values.items()}
    shape = "surface" if item.area_m2 > 0 else "point" if item.ref.startswith("node/") else "ligne"
    return {
        "osm_id": item.ref, "geometry": shape, "group": category.group, "category": category.label,
        "category_id": category.family.id, "other_categories": "; ".join(other.label for other in others) or None,
        "tag": theme.tag_of(category, item.tags), **values, "longitude": item.longitude, "latitude": item.latitude,
        "area_m2": round(item.area_m2, 1) if item.area_m2 > 0 else None, "completeness": completeness,
    }  # fmt: skip


def read_theme(path: Path, theme: Theme) -> pl.DataFrame:
    """Return every object of a theme in a file; those without geometry have no longitude.

    Raises
    ------
    SourceFormatError
        When the file cannot be read.
    """
    rows = []
    for item in read_objects(path, _filter(theme)):
        if (found := theme.classify(item.tags)) is None:
            continue
        # A stop area or a site only gathers objects that are read for themselves.
        gathers = item.ref.startswith("relation/") and item.tags.get("type") not in {"multipolygon", "boundary"}
        if item.longitude is not None or not gathers:
            rows.append(_row(theme, item, *found))
    return pl.DataFrame(rows, schema=schema_of(theme), orient="row")


def _kept_path(path: Path, theme: Theme, settings: Settings) -> Path:
    return work_folder(settings) / "lus" / f"{digest(stamp_of(path), theme.id, code_digest(*_CODE))}.parquet"


def is_read(path: Path, theme: Theme, settings: Settings) -> bool:
    """Tell whether a file was already read for a theme: the answer is then immediate."""
    return _kept_path(path, theme, settings).is_file()


def objects_of(path: Path, theme: Theme, settings: Settings) -> pl.DataFrame:
    """Return :func:`read_theme`, kept on disk until the file or the declarations change.

    Raises
    ------
    SourceFormatError
        When the file cannot be read.
    """
    kept = _kept_path(path, theme, settings)
    try:
        return pl.read_parquet(kept)
    except (OSError, pl.exceptions.PolarsError):
        table = read_theme(path, theme)
    stream = _parquet(table)
    if keep(kept, stream):
        _forget_oldest(kept.parent)
    return table


def _parquet(table: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.write_parquet(stream)
    return stream.getvalue()


def _forget_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    for path in files[:-_MOST_KEPT]:
        path.unlink(missing_ok=True)


def restrict(table: pl.DataFrame, theme: Theme, territory: Territory, territories: Territories) -> pl.DataFrame:
    """Return the objects of a table that are in a territory, with their commune, in the order of the theme.

    The commune is that of the point of the object, by the outlines of the reference geography; an object of a box may
    be in none.
    """
    west, south, east, north = territory.bounds
    inside = table.filter(pl.col("longitude").is_between(west, east) & pl.col("latitude").is_between(south, north))
    codes = territories.locator(territory.bounds).locate(inside["longitude"], inside["latitude"])
    inside = inside.with_columns(code=codes)
    if territory.level != "boite":
        inside = inside.filter(pl.col("code").is_in(sorted(territory.communes)))
    names = [None if code is None else territories.name_of(code) for code in inside["code"]]
    order = {name: rank for rank, name in enumerate(theme.categories)}
    plain = [unaccented(name or "\uffff") for name in inside[NAME]]
    number = pl.col("osm_id").str.extract(r"/(\d+)$").cast(pl.Int64)
    return (
        inside.with_columns(
            pl.Series("commune", names, dtype=pl.String),
            pl.Series("_name", plain, dtype=pl.String),
            _rank=pl.col("category_id").replace_strict(order, return_dtype=pl.Int64),
        )
        .sort("_rank", "_name", "geometry", number)
        .select(*(name for name in schema_of(theme) if name not in _PLACE), "code", "commune", *_PLACE)
    )


_HELD: OrderedDict[tuple[str, ...], Extraction] = OrderedDict()
_LOCK = threading.Lock()


def extract(
    theme: Theme,
    territory: Territory,
    path: Path,
    source: Source,
    *,
    territories: Territories,
    settings: Settings,
    progress: Progress | None = None,
) -> Extraction:
    """Return the objects of a theme in a territory; the last answers are held in memory.

    Parameters
    ----------
    theme, territory
        What is asked.
    path
        Extract to read (``.osm.pbf``, ``.osm``, ``.osm.gz``), local or answered by Overpass.
    source
        What is said of it.
    territories
        Where the communes are.
    settings
        Where what was read is kept.
    progress
        Called with a French label and the share done.

    Raises
    ------
    SourceFormatError
        When the file cannot be read.
    """
    tell = progress or (lambda _label, _share: None)
    where = (territories.snapshot_id, territory.level, territory.code)
    key = (str(settings.home), theme.id, *where, stamp_of(path), repr(source))
    with _LOCK:
        if key in _HELD:
            _HELD.move_to_end(key)
            return _HELD[key]
    tell(f"Lecture de {path.name if source.kind == 'local' else 'la réponse'}", 0.1)
    table = objects_of(path, theme, settings)
    tell("Recherche de la commune de chaque objet", 0.8)
    rows = restrict(table, theme, territory, territories)
    withheld = sum(theme.categories[name].personal for name in rows["category_id"])
    found = Extraction(theme, territory, source, rows, table["longitude"].null_count(), withheld)
    with _LOCK:
        _HELD[key] = found
        if len(_HELD) > _MOST_HELD:
            _HELD.popitem(last=False)
    tell("Terminé", 1.0)
    return found


def local_source(extract_: LocalExtract, share: float) -> Source:
    """Return what is said of a local extract for a territory that it covers in part."""
    return Source("local", extract_.name, extract_.date, share, extract_.declared)
