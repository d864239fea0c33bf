"""Evolution of a town: its series over the years, with what breaks them and what is not known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from bourg.errors import ParameterError
from bourg.indicators.parameters import parameter
from bourg.indicators.values import value_text
from bourg.portrait.observatory import Observatory
from bourg.portrait.series import Break, SeriesSpec, declared_series, described, part_start, read_series, undivided
from bourg.sources.model import load_catalogue
from bourg.text import format_value

BASE = 100.0
_NO_FILE = "année sans fichier lu"


@dataclass(frozen=True)
class Point:
    """One year of a series.

    Attributes
    ----------
    value
        ``None`` unless the status is ``ok``, ``estimated`` or ``demo``.
    status
        As for a value; a year that no file gives is ``missing``.
    text
        French text: the value and its unit, or why there is none.
    part
        Number of the comparable part it belongs to: it grows at each break that cuts.
    index
        100 × value ÷ first value of the same part; ``None`` when there is no value or the first one is zero.
    """

    year: int
    value: float | None
    status: str
    text: str
    part: int
    index: float | None = None


@dataclass(frozen=True)
class Landmark:
    """The median of a set of communes over the years of a series.

    Attributes
    ----------
    label
        French words for the set.
    values, indexes
        ``(year, part, median)`` of the values, and of the indexes (each commune against its own first year).
    """

    label: str
    values: tuple[tuple[int, int, float], ...]
    indexes: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True)
class Evolution:
    """One series of one town.

    Attributes
    ----------
    points
        One per year known to the source, sorted; empty when nothing describes the town.
    breaks
        Breaks inside the years shown.
    sources
        French titles of the sources of the table.
    reason
        Why there is nothing to draw, empty when there is.
    """

    id: str
    label: str
    theme: str
    unit: str
    decimals: int
    mark: str
    code: str
    name: str
    points: tuple[Point, ...]
    breaks: tuple[Break, ...] = ()
    sources: tuple[str, ...] = ()
    note: str = ""
    demo: bool = False
    reason: str = ""

    @property
    def usable(self) -> tuple[Point, ...]:
        """Points that have a value."""
        return tuple(point for point in self.points if point.value is not None)

    @property
    def runs(self) -> tuple[tuple[Point, ...], ...]:
        """Points that a line may join: a run ends at a missing year and at a break that cuts."""
        runs: list[list[Point]] = []
        last: Point | None = None
        for point in self.points:
            if point.value is not None:
                if last is None or last.value is None or last.part != point.part:
                    runs.append([])
                runs[-1].append(point)
            last = point
        return tuple(tuple(run) for run in runs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def evolution(observatory: Observatory, code: str, ids: Iterable[str] | None = None) -> tuple[Evolution, ...]:
    """Return the series of a commune, drawable or not, in the order of the pages.

    Series whose table the snapshot does not have are left out.

    Parameters
    ----------
    code
        INSEE code; the code of a merged commune gives the commune it joined.
    ids
        Series wanted, all by default (:func:`bourg.portrait.series.declared_series`).

    Raises
    ------
    MalformedCodeError, UnknownTerritoryError
        When the code is not one of a commune.
    ParameterError
        When a series is unknown.
    """
    row = observatory.commune(code)
    chosen = _chosen(ids)
    return tuple(
        _evolution(observatory, spec, row["code"], row["name"])
        for spec in chosen
        if observatory.snapshot.has_table(spec.table)
    )


def evolutions(observatory: Observatory, codes: Sequence[str]) -> dict[str, tuple[Evolution, ...]]:
    """Return every series of several communes, as :func:`evolution` does for one: each table is read once.

    Raises
    ------
    MalformedCodeError, UnknownTerritoryError
        When a code is not one of a commune.
    """
    rows = [observatory.commune(code) for code in codes]
    made: dict[str, list[Evolution]] = {row["code"]: [] for row in rows}
    for spec in _chosen(None):
        if not observatory.snapshot.has_table(spec.table):
            continue
        read: dict[str, _Years] = {}
        for item in read_series(observatory, spec, list(made)).iter_rows(named=True):
            read.setdefault(item["code"], {})[item["year"]] = item
        for row in rows:
            made[row["code"]].append(_evolution(observatory, spec, row["code"], row["name"], read.get(row["code"], {})))
    return {code: tuple(series) for code, series in made.items()}


_Years = dict[int, dict[str, Any]]


def _chosen(ids: Iterable[str] | None) -> list[SeriesSpec]:
    known = declared_series()
    wanted = list(known) if ids is None else list(ids)
    if strangers := [name for name in wanted if name not in known]:
        raise ParameterError(
            f"La série « {str(strangers[0])[:60]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(known)}."
        )
    return [known[name] for name in wanted]


def _evolution(
    observatory: Observatory, spec: SeriesSpec, code: str, name: str, read: _Years | None = None
) -> Evolution:
    info = observatory.table_info(spec.table)
    demo = bool(info["demo"])
    catalogue = load_catalogue()
    empty = Evolution(
        spec.id, spec.label, spec.theme, spec.unit, spec.decimals, spec.mark, code, name, (), note=spec.note, demo=demo,
        sources=tuple(catalogue[source].title for source in info["sources"] if source in catalogue),
    )  # fmt: skip
    if code in undivided(observatory, spec.table):
        return replace(empty, reason="les fichiers décrivent cette commune avec une autre dont elle s'est séparée")
    if not observatory.covers(spec.table, code):
        return replace(empty, reason="aucun fichier lu ne décrit cette commune")
    if read is None:
        read = {row["year"]: row for row in read_series(observatory, spec, [code]).iter_rows(named=True)}
    points = _points(observatory, spec, code, read, demo=demo)
    shown = tuple(item for item in spec.breaks if points and points[0].year < item.year <= points[-1].year)
    made = replace(empty, points=points, breaks=shown)
    return replace(made, reason=_reason(made))


def _points(observatory: Observatory, spec: SeriesSpec, code: str, rows: _Years, *, demo: bool) -> tuple[Point, ...]:
    known = described(observatory, spec.id)
    if not known.years:
        return ()
    years = range(known.years[0], known.years[-1] + 1) if spec.annual else known.years
    departement = code[:3] if code.startswith("97") else code[:2]
    starts = sorted({part_start(spec, year) for year in years})
    points = []
    bases: dict[int, float] = {}
    for year in years:
        part = starts.index(part_start(spec, year))
        row = rows.get(year)
        value, status = (row["value"], row["status"]) if row else (None, "missing")
        if row is None and spec.absence == "zero" and (year, departement) in known.departements:
            value, status = 0.0, "ok"
        text = _text(spec, value, status, read=year in known.years)
        index = None
        if value is not None:
            status = "demo" if demo else status
            base = bases.setdefault(part, value)
            index = BASE * value / base if base > 0 else None
        points.append(Point(year, value, status, text, part, index))
    return tuple(points)


def _text(spec: SeriesSpec, value: float | None, status: str, *, read: bool) -> str:
    if value is not None:
        return format_value(value, spec.unit, spec.decimals)
    # The words for a status are the same for every indicator.
    return value_text("population.total", None, status) if read else _NO_FILE


def _reason(made: Evolution) -> str:
    usable = made.usable
    if not usable:
        secret = any(point.status == "secret" for point in made.points)
        return "secret statistique toutes les années" if secret else "aucune valeur pour cette commune"
    if len(usable) == 1:
        return f"une seule année connue ({usable[0].year} : {usable[0].text})"
    if all(point.value == 0 for point in usable):
        return f"zéro chaque année de {usable[0].year} à {usable[-1].year}"
    return ""


def landmark(observatory: Observatory, made: Evolution, codes: Collection[str], label: str) -> Landmark | None:
    """Return the yearly median of a set of communes, to stand beside a series.

    Parameters
    ----------
    codes
        Members of the set; those without a value in a year are left out of its median.
    label
        French words for the set.

    Returns
    -------
    Landmark or None
        ``None`` when no year has the smallest number of communes a comparison needs (``ranking_min_set``).
    """
    spec = declared_series()[made.id]
    least = parameter("ranking_min_set")
    usable = pl.col("value").is_not_null()
    rows = read_series(observatory, spec, codes).filter(usable)
    if rows.is_empty() or not made.usable:
        return None
    parts = {point.year: point.part for point in made.points}
    bases: dict[int, int] = {}
    for point in made.usable:
        bases.setdefault(point.part, point.year)
    rows = rows.filter(pl.col("year").is_in(list(parts))).with_columns(
        part=pl.col("year").replace_strict(parts, default=None, return_dtype=pl.Int64)
    )
    firsts = pl.DataFrame({"part": list(bases), "year": list(bases.values())}, {"part": pl.Int64, "year": pl.Int32})
    first = rows.join(firsts, on=["part", "year"], how="semi").select("code", "part", base="value")
    indexed = rows.join(first, on=["code", "part"], how="inner").filter(pl.col("base") > 0)

    def medians(frame: pl.DataFrame, value: pl.Expr) -> tuple[tuple[int, int, float], ...]:
        found = frame.group_by("year", "part").agg(value.median().alias("median"), pl.len().alias("n")).sort("year")
        return tuple(found.filter(pl.col("n") >= least).select("year", "part", "median").iter_rows())

    values = medians(rows, pl.col("value"))
    return Landmark(label, values, medians(indexed, BASE * pl.col("value") / pl.col("base"))) if values else None


def drawable(series: Iterable[Evolution]) -> list[Evolution]:
    """Return the series that have something to draw."""
    return [item for item in series if not item.reason]


def changes(series: Sequence[Evolution]) -> str:
    """Return « Millau −2,2 % (2013-2021) · Redon … », each over the last comparable part of its series."""
    parts = []
    for item in series:
        ends = _ends(item)
        if ends:
            parts.append(f"{item.name} {_change(*ends)} ({ends[0].year}-{ends[1].year})")
    return " · ".join(parts)


def _ends(made: Evolution) -> tuple[Point, Point] | None:
    usable = made.usable
    part = [point for point in usable if point.part == usable[-1].part] if usable else []
    return (part[0], part[-1]) if len(part) > 1 else None


def _change(first: Point, last: Point) -> str:
    if first.value is None or last.value is None or first.value <= 0:
        return f"de {first.text} à {last.text}"
    change = round(100 * (last.value - first.value) / first.value, 1)
    sign = "+" if change > 0 else "−" if change < 0 else ""
    return f"{sign}{format_value(abs(change), '%', 1)}"


def summary(made: Evolution) -> str:
    """Return one French sentence on the ends of the last comparable part: a description, never a cause.

    ``« De 2013 à 2021 : 22 205 habitants puis 21 712 habitants (−2,2 %). »``
    """
    usable = made.usable
    if len(usable) < 2:
        return ""
    ends = _ends(made)
    if ends is None:
        return f"Une seule année depuis la rupture de série : {usable[-1].text} en {usable[-1].year}."
    first, last = ends
    words = f"De {first.year} à {last.year} : {first.text}, puis {last.text}"
    if first.value is None or last.value is None or first.value <= 0:
        return f"{words}."
    return f"{words} ({_change(first, last)})."


def table_rows(series: Sequence[Evolution], *, index: bool = False) -> list[tuple[int, list[str]]]:
    """Return the points of a drawing as rows ``(year, texts)``, one text per series; a year that one lacks is « – »."""
    years = sorted({point.year for item in series for point in item.points})
    by_year = [{point.year: point for point in item.points} for item in series]
    return [(year, [_cell(points.get(year), index=index) for points in by_year]) for year in years]


def _cell(point: Point | None, *, index: bool) -> str:
    if point is None:
        return "–"
    if not index or point.index is None:
        return point.text
    return f"{format_value(point.index, '', 1)} ({point.text})"


def breaks_text(series: Sequence[Evolution]) -> list[str]:
    """Return the French sentences on the breaks of a drawing, without repeats."""
    found = {item.year: item for one in series for item in one.breaks}
    return [
        f"{item.year}, {'rupture de série' if item.cuts else 'changement de définition'} : {item.label}"
        for item in sorted(found.values(), key=lambda item: item.year)
    ]
