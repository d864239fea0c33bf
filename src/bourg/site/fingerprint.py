"""What the pages of a site depend on, as short hashes: only what changed is made again.

Three grains: what all pages share, what the page of a town is made of, and each of its figures
(:mod:`bourg.site.digests`). A page of which only figures changed is mended; the others are made whole.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
import polars as pl

from bourg.compare.comparators import SIZE
from bourg.compare.stored import SUMMARIES
from bourg.indicators.registry import load_indicators
from bourg.portrait.document import KEY_FIGURES
from bourg.portrait.observatory import Observatory
from bourg.portrait.series import declared_series, described, undivided
from bourg.site.departements import MAPPED
from bourg.site.digests import FigureDigests, Nearby, commune_digests, figure_digests, mixed
from bourg.site.selection import known_rows
from bourg.site.themes import themes_in_use
from bourg.site.towns import Scope

# Packages whose code or declarations end up in a page.
_CODE = ("text.py", "compare", "geography", "indicators", "maps", "portrait", "site", "sources/catalogue")
_SUFFIXES = (".py", ".yaml", ".j2", ".css", ".js")
_ARRAYS = ("rows", "own", "sets", "near", "apart", "beside")
_FILES = ("comparaisons/structure", "profils.json", "tables/outlines", "cartes/departements", "tables/epci")


@dataclass(frozen=True)
class Fingerprints:
    """The hashes of a site.

    Attributes
    ----------
    common
        Hash of what all pages depend on.
    codes
        Communes, in the order of the arrays.
    frames
        Commune -> hash of what its pages are made of: identity, series, which figures it has.
    figures
        Digests of each figure of each commune.
    nearby
        What each commune is compared with by resemblance; ``None`` before its page was ever made.
    pages
        Path of the other pages (``departement/12``) -> hash of what they show.
    """

    common: str = ""
    codes: tuple[str, ...] = ()
    frames: Mapping[str, str] = field(default_factory=dict)
    figures: FigureDigests | None = None
    nearby: Nearby | None = None
    pages: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, content: Mapping[str, Any] | None, arrays: bytes) -> Fingerprints:
        """Return what the folder of a site kept; nothing for a new one, or when its arrays are not readable."""
        kept = content or {}
        if not kept or not arrays:
            return cls()
        try:
            # Arrays only: nothing that is read here can run.
            with np.load(io.BytesIO(arrays), allow_pickle=False) as known:
                figures = FigureDigests(*(known[name] for name in _ARRAYS))
                nearby = Nearby(known["similar"], known["first"])
            codes = tuple(kept["ordre"])
            if not figures.fits(len(figures.rows), len(codes)) or {len(codes)} != {
                len(nearby.members), len(nearby.beside)
            }:  # fmt: skip
                return cls()
            return cls(kept["commun"], codes, kept["communes"], figures, nearby, kept["pages"])
        except (ValueError, KeyError, TypeError, OSError, EOFError, IndexError):
            # Read again from the snapshot: nothing is lost but time.
            return cls()

    def to_dict(self) -> dict[str, Any]:
        """Return what is kept as JSON."""
        return {
            "commun": self.common, "ordre": list(self.codes), "communes": dict(self.frames), "pages": dict(self.pages),
        }  # fmt: skip

    def to_arrays(self) -> bytes:
        """Return what is kept as arrays."""
        nothing = Nearby(np.empty((0, 0, 0), dtype=np.int32), np.empty((0, 0), dtype=np.int32))
        near = self.nearby or nothing
        buffer = io.BytesIO()
        figures = {} if self.figures is None else {name: getattr(self.figures, name) for name in _ARRAYS}
        np.savez(buffer, similar=near.members, first=near.beside, **figures)
        return buffer.getvalue()

    def changed(self, known: Fingerprints) -> dict[str, list[int] | None]:
        """Return the communes whose pages changed since the last run: the rows of the figures, ``None`` for all."""
        found: dict[str, list[int] | None] = {}
        figures, before = self.figures, known.figures
        if self.common != known.common or figures is None or before is None or not before.fits(
            len(figures.rows), len(known.codes)
        ):  # fmt: skip
            return dict.fromkeys(self.codes)
        old = known.places
        for index, code in enumerate(self.codes):
            if code not in old or self.frames[code] != known.frames.get(code):
                found[code] = None
            elif rows := figures.changed(before, index, old[code]):
                found[code] = rows
        return found

    def moved(self, known: Fingerprints) -> list[int]:
        """Return the rows of the indicators of which a value changed somewhere since the last run."""
        if self.figures is None or known.figures is None:
            return []
        found: list[int] = np.flatnonzero(self.figures.rows != known.figures.rows).tolist()
        return found

    def apart(self, known: Fingerprints, code: str) -> tuple[bool, bool]:
        """Tell whether what sets a commune apart from similar towns, and what stands beside it, may have changed."""
        new, old = self.figures, known.figures
        if new is None or old is None or code not in known.places:
            return True, True
        here, before = self.places[code], known.places[code]
        return bool((new.apart[:, here] != old.apart[:, before]).any()), bool(new.beside[here] != old.beside[before])

    @cached_property
    def places(self) -> dict[str, int]:
        """Place of each commune in the arrays."""
        return {code: index for index, code in enumerate(self.codes)}


def fingerprints(observatory: Observatory, codes: Sequence[str], scope: Scope, known: Fingerprints) -> Fingerprints:
    """Return the hashes of a site for the snapshot in service.

    Parameters
    ----------
    codes
        Communes of the site, sorted.
    known
        Hashes of the last run: they say which towns each page is compared with by resemblance. Those of a commune
        that it does not know are left out, until :func:`with_nearby`.
    """
    common = _common(observatory, scope)
    found = Fingerprints(common, tuple(codes), pages=_pages(observatory, scope))
    if common != known.common:
        # Everything is made again: what each page depends on is only needed by the next run.
        return found
    # The same communes, since they are part of what all pages share: what is known of them is in the same order.
    return _with_figures(observatory, replace(found, nearby=known.nearby), known.figures)


def _with_figures(observatory: Observatory, keys: Fingerprints, known: FigureDigests | None = None) -> Fingerprints:
    rows = known_rows(observatory, keys.codes)
    figures, frames = figure_digests(observatory, rows, keys.nearby, known)
    parts = [_series(observatory, rows), _identities(observatory, rows)]
    hashes = {
        code: _hash([*(part[code] for part in parts), int(frame).to_bytes(8, "big")])
        for code, frame in zip(keys.codes, frames, strict=True)
    }
    return replace(keys, figures=figures, frames=hashes)


def similar_of(observatory: Observatory, code: str, shown: Sequence[str], beside: int) -> Nearby:
    """Return what one commune is compared with by resemblance, as arrays of one line.

    Parameters
    ----------
    shown
        The most similar towns.
    beside
        How many of them its comparison puts beside it.
    """
    matrix = observatory.matrix
    (chosen,) = observatory.comparators.of(code, ["similar"])
    families = sorted(chosen.by_family)
    lists = [chosen.members, *(chosen.by_family[name] for name in families)]
    size = max((part.size for part in lists), default=0)
    members = np.full((1, len(lists), size), -1, dtype=np.int32)
    for index, part in enumerate(lists):
        members[0, index, : part.size] = part
    # None at all is not the same as never looked for.
    near = np.full((1, beside), -2, dtype=np.int32)
    near[0, : len(shown[:beside])] = [matrix.position(item) for item in shown[:beside]]
    return Nearby(members, near)


def completed(observatory: Observatory, keys: Fingerprints, made: Mapping[str, Nearby]) -> Fingerprints:
    """Return the hashes with what the pages just made are compared with, for the next run.

    Parameters
    ----------
    made
        Of the communes whose pages were made whole.
    """
    old = keys.nearby
    unknown = set(keys.codes) if old is None or keys.figures is None else {
        code for code, line in zip(keys.codes, old.beside, strict=True) if (line == -1).all()
    }  # fmt: skip
    if not unknown & set(made):
        return keys
    shapes = [part.members.shape[1:] for part in made.values()] + ([old.members.shape[1:]] if old else [])
    beside = next(iter(made.values())).beside.shape[1]
    lines, size = max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)
    members = np.full((len(keys.codes), lines, size), -1, dtype=np.int32)
    near = np.full((len(keys.codes), beside), -1, dtype=np.int32)
    for index, code in enumerate(keys.codes):
        source, line = (made[code], 0) if code in made else (old, index)
        if source is not None:
            shape = source.members.shape[1:]
            members[index, : shape[0], : shape[1]] = source.members[line]
            near[index] = source.beside[line]
    return _with_figures(observatory, replace(keys, nearby=Nearby(members, near)))


def _pages(observatory: Observatory, scope: Scope) -> dict[str, str]:
    """Hash what the pages of departments and of themes show."""
    declared = {name: item.declaration for name, item in load_indicators().items()}
    keyed = [name for name in (*KEY_FIGURES, *MAPPED) if name in observatory.matrix.rows]
    table = pl.scan_parquet(observatory.snapshot.path("values.parquet"))
    content = pl.struct("indicator", "level", "code", "period", "value", "status").hash(seed=5)
    rows = (
        table.filter(pl.col("level").is_in(["departement", "france"]))
        .select("indicator", "level", "code", row=content).collect()
    )  # fmt: skip
    themes: dict[str, list[str]] = {}
    by_indicator = dict(rows.group_by("indicator").agg(pl.col("row").sum()).sort("indicator").iter_rows())
    sizes = pl.scan_parquet(observatory.snapshot.path(SUMMARIES)).filter(pl.col("comparator") == SIZE)
    spread = dict(
        sizes.select("indicator", row=pl.struct(pl.all()).hash(seed=6)).group_by("indicator")
        .agg(pl.col("row").sum()).collect().iter_rows()
    )  # fmt: skip
    for name, one in declared.items():
        themes.setdefault(one.theme, []).append(f"{name} {by_indicator.get(name)} {spread.get(name)}")
    found = {f"theme/{theme}": _hash(themes.get(theme, ())) for theme in themes_in_use()}
    here = rows.filter(pl.col("indicator").is_in(keyed))
    france = str(here.filter(pl.col("level") == "france")["row"].sum())
    whole = dict(here.filter(pl.col("level") == "departement").group_by("code").agg(pl.col("row").sum()).iter_rows())
    matrix = observatory.matrix
    place = np.arange(len(matrix.codes), dtype=np.uint64)
    total = np.zeros(len(matrix.codes), dtype=np.uint64)
    for number, name in enumerate(sorted(set(keyed))):
        total += mixed(commune_digests(matrix, matrix.row(name)) + place + np.uint64(number), 60)
    sums = pl.DataFrame({"code": matrix.codes, "total": total}).join(
        observatory.communes.select("code", "departement"), on="code"
    )
    inside = dict(sums.group_by("departement").agg(pl.col("total").sum()).iter_rows())
    for code in sorted(scope.departements):
        found[f"departement/{code}"] = _hash([str(inside.get(code)), str(whole.get(code)), france])
    return found


def _hash(parts: Iterable[bytes | str]) -> str:
    made = hashlib.blake2b(digest_size=10)
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        made.update(len(content).to_bytes(4, "big"))
        made.update(content)
    return made.hexdigest()


@cache
def code_digest() -> str:
    """Return the hash of the code, the declarations and the templates that make the pages."""
    root = resources.files("bourg")
    return _hash(part for name in _CODE for part in _contents(root.joinpath(*name.split("/"))))


def _contents(item: Traversable) -> Iterable[bytes]:
    if item.is_file():
        if item.name.endswith(_SUFFIXES):
            yield item.name.encode()
            yield item.read_bytes()
        return
    for child in sorted(item.iterdir(), key=lambda one: one.name):
        if child.name != "__pycache__":
            yield from _contents(child)


def _common(observatory: Observatory, scope: Scope) -> str:
    manifest = observatory.snapshot.manifest
    files = sorted(f"{name} {entry['sha256']}" for name, entry in manifest["files"].items() if name.startswith(_FILES))
    tables = [f"{name} {entry['demo']} {entry['sources']}" for name, entry in sorted(manifest["tables"].items())]
    vintages = sorted({f"{item['id']} {item['vintage']}" for item in manifest["sources"]})
    sizes = _hash(observatory.comparators.partitions[SIZE].fill_null("").to_list())
    return _hash([
        code_digest(), scope.address, *sorted(scope.codes), *files, *observatory.matrix.indicators,
        _hash(observatory.matrix.codes), *tables, *vintages, str(manifest["cog"]),
        str(observatory.snapshot.demo), repr(sorted(observatory.names.items())), sizes,
        repr([(name, known.years, sorted((year, sorted(kinds)) for year, kinds in known.types.items()))
              for name in declared_series() if observatory.snapshot.has_table(declared_series()[name].table)
              for known in [described(observatory, name)]]),
    ])  # fmt: skip


def _series(observatory: Observatory, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Hash the rows of the tables of series that describe each commune."""
    codes = sorted(row["code"] for row in rows)
    tables = sorted({spec.table for spec in declared_series().values() if observatory.snapshot.has_table(spec.table)})
    parts: dict[str, list[str]] = {code: [] for code in codes}
    for name in tables:
        table = observatory.snapshot.table(name)
        content = pl.struct(pl.all().exclude("code")).hash(seed=1)
        hashed = table.filter(pl.col("code").is_in(codes)).select("code", row=content)
        known = dict(hashed.group_by("code").agg(pl.col("row").sum()).collect().iter_rows())
        apart = undivided(observatory, name)
        for code in codes:
            parts[code].append(f"{name} {known.get(code, '')} {observatory.covers(name, code)} {code in apart}")
    years = {
        name: described(observatory, name).departements
        for name, spec in declared_series().items()
        if spec.absence == "zero" and observatory.snapshot.has_table(spec.table)
    }
    seen = {
        here: repr([(name, sorted(year for year, code in pairs if code == here)) for name, pairs in years.items()])
        for here in {row["departement"] for row in rows}
    }
    for row in rows:
        parts[row["code"]].append(seen[row["departement"]])
    return {code: _hash(part) for code, part in parts.items()}


def _identities(observatory: Observatory, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    codes = [row["code"] for row in rows]
    places: dict[str, list[tuple[str, int]]] = {}
    if observatory.snapshot.has_table("culture_places"):
        here = observatory.places.filter(pl.col("code").is_in(codes))
        for code, kind, count in here.group_by("code", "type").len().sort("code", "type").iter_rows():
            places.setdefault(code, []).append((kind, count))
    return {
        row["code"]: _hash([
            repr(dict(row)), repr(observatory.town_hall(row["code"])), repr(observatory.council(row["code"])),
            repr(observatory.pvd.get(row["code"])), repr(places.get(row["code"])),
            repr(profile.id if (profile := observatory.profiles.of(row["code"])) else None),
        ])
        for row in rows
    }  # fmt: skip
