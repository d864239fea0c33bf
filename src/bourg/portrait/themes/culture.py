"""The document of culture: one object for the dashboard page, the static site, the PDF and the API.

Nothing here draws: figures are value sheets, the rest are small tables, contours and sentences. The territory is the
town or one that holds it; the spread, the deserts and the density are told over communes, so around a town they are
those of its intercommunality.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from bourg.compare.comparators import ComparisonSet
from bourg.culture.categories import Breakdown, breakdown
from bourg.culture.deserts import STATUSES, Deserts
from bourg.culture.festivals import Festivals, festivals_of, with_seasons
from bourg.culture.kinds import kind
from bourg.culture.spread import Concentration
from bourg.indicators.engine import USABLE
from bourg.indicators.registry import load_indicators
from bourg.indicators.values import SourceNote, ValueSheet
from bourg.portrait.comparison import comparison_set
from bourg.portrait.document import make_portrait
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS
from bourg.portrait.themes.culture_areas import MAPPED, Area, area_of, culture_base, described, larger_areas, ring_of
from bourg.portrait.themes.culture_density import DensityMap, density_map
from bourg.portrait.themes.culture_figures import (
    KindRow,
    concentration_sheets,
    desert_figures,
    kind_rows,
    larger_sheets,
)
from bourg.portrait.themes.culture_words import summary_sentences

THEME = "culture"
KEY_FIGURES = (
    "culture.places_count", "culture.living_per_1000", "culture.heritage_per_1000", "culture.ministry_reading_per_1000",
    "culture.ministry_performing_per_1000", "culture.inhabitants_per_screen", "culture.effective_types",
    "culture.museums_count",
)  # fmt: skip
FESTIVAL_FIGURES = ("culture.festivals_count", "culture.festivals_per_1000")
# Published access times that are about culture, shown when a network of streets is installed.
ACCESS_FIGURES = (
    "access.foot_bibliotheque_15", "access.bike_cinema_15", "access.bike_cinema_median", "access.car_cinema_20",
)  # fmt: skip


@dataclass(frozen=True)
class Against:
    """Places by category in what the territory is compared with; ``kind``: ``set`` of communes, or a level."""

    kind: str
    label: str
    breakdown: Breakdown


@dataclass(frozen=True, eq=False)
class CulturePage:
    """What is known of the culture of a territory.

    Attributes
    ----------
    code, name
        The commune the page was asked for.
    area, ring
        The territory, and the one whose spread, deserts and festivals around are told.
    chosen, sets
        Communes the town is compared with, and every set it may be; ``chosen`` is ``None`` for a larger territory.
    sheets, key_figures
        Value sheets of the theme (and access to culture) by indicator; those shown first.
    typology, breakdown, against
        Places by category in a named typology, and the same elsewhere; ``None`` where the typed list leaves a commune
        of the territory out.
    kinds
        Library, cinema, museum…: here, near the town hall, over the ring.
    concentration, spread
        Concentration of the living places of the ring, and its sheets.
    deserts, desert_sheet
        Communes far from the kind asked for, and the share of the inhabitants.
    density
        Density of the places; ``None`` for France, or where it is not known.
    festivals, festivals_around
        Of the territory, and of the ring; ``None`` where no list describes it.
    described
        Communes of the ring that the typed list describes.
    demo
        Whether the list of places is generated.
    snapshot
        Id, date and geography.
    """

    code: str
    name: str
    area: Area
    ring: Area
    chosen: ComparisonSet | None
    sets: tuple[ComparisonSet, ...]
    sheets: dict[str, ValueSheet]
    key_figures: tuple[ValueSheet, ...]
    typology: str
    breakdown: Breakdown | None
    against: tuple[Against, ...]
    kinds: tuple[KindRow, ...]
    concentration: Concentration | None
    main_town: str
    spread: tuple[ValueSheet, ...]
    deserts: Deserts
    desert_sheet: ValueSheet
    density: DensityMap | None
    festivals: Festivals | None
    festivals_around: Festivals | None
    described: int
    demo: bool
    snapshot: dict[str, Any]

    @property
    def sources(self) -> tuple[SourceNote, ...]:
        """Sources of the sheets that have a value, each once."""
        used = (source for sheet in self.all_sheets if sheet.status in USABLE for source in sheet.sources)
        return tuple(dict.fromkeys(used))

    @property
    def all_sheets(self) -> tuple[ValueSheet, ...]:
        """Published figures, then those worked out by the page."""
        return (*self.sheets.values(), *(row.sheet for row in self.kinds), *self.spread, self.desert_sheet)

    @property
    def complete(self) -> bool:
        """Whether the typed list describes every commune of the ring."""
        return self.described == len(self.ring.codes)

    def summary(self) -> tuple[str, ...]:
        """Return the page in a few French sentences, for somebody who reads nothing else."""
        return summary_sentences(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; contours are left out (they are a file of their own)."""
        return {
            "commune": {"code": self.code, "nom": self.name},
            "territoire": {"niveau": self.area.level, "code": self.area.code, "nom": self.area.name},
            "autour": {"niveau": self.ring.level, "code": self.ring.code, "nom": self.ring.name},
            "resume": list(self.summary()),
            "indicateurs": [sheet.to_dict() for sheet in self.sheets.values()],
            "typologie": self.typology,
            "categories": asdict(self.breakdown) if self.breakdown else None,
            "comparaison": [{"nom": item.label, **asdict(item.breakdown)} for item in self.against],
            "genres": [
                {"genre": row.kind.id, "nom": row.kind.label, "ici": row.here, "plus_proche_km": row.nearest_km,
                 "plus_proche": row.nearest, "plus_proche_commune": row.nearest_commune,
                 "repartition": asdict(row.served) if row.served else None, "chiffre": row.sheet.to_dict()}
                for row in self.kinds
            ],
            "repartition": [sheet.to_dict() for sheet in self.spread],
            "deserts": {
                "genre": self.deserts.kind.id, "distance_km": self.deserts.kind.desert_km,
                "communes": {name: self.deserts.count(name) for name in STATUSES},
                "habitants": {name: self.deserts.people(name) for name in STATUSES},
                "chiffre": self.desert_sheet.to_dict(), "liste": self.deserts.far.to_dicts(),
            },
            "densite": {
                "mesure": self.density.unit, "lissage_km": self.density.bandwidth_km,
                "communes": self.density.densest.to_dicts(),
            } if self.density else None,
            "festivals": _festivals_dict(self.festivals),
            "demonstration": self.demo,
            "instantane": self.snapshot,
        }  # fmt: skip


def _festivals_dict(found: Festivals | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "nombre": found.total, "saisons": found.seasons, "disciplines": found.disciplines, "mois": found.months,
        "demonstration": found.demo, "liste": found.table.to_dicts(),
    }  # fmt: skip


def make_culture_page(
    observatory: Observatory,
    code: str,
    *,
    territory: str = "commune",
    comparator: str | None = None,
    typology: str = "brief",
    desert: str = "vivant",
    measure: str = "km2",
    bandwidth: float | None = None,
) -> CulturePage:
    """Assemble the page of culture of a town, or of a territory that holds it.

    Parameters
    ----------
    observatory
        The opened snapshot.
    code
        INSEE code of the town.
    territory
        ``commune``, ``epci``, ``departement``, ``region`` or ``france``.
    comparator
        Set of communes the town is compared with; the first that gives ranks by default.
    typology
        ``brief``, ``ministere`` or ``carte``.
    desert
        Kind of place of the deserts (parameter ``culture_kinds``).
    measure, bandwidth
        Density in places per km² (``km2``) or for 1,000 inhabitants (``habitants``), and its kernel in kilometres.

    Raises
    ------
    MalformedCodeError, UnknownTerritoryError
        When the code names no commune, or the commune is in no intercommunality.
    ParameterError
        When a choice does not exist.
    SnapshotError
        When the snapshot was built before comparisons were kept in it.
    """
    wanted = kind(desert)
    area, ring = area_of(observatory, code, territory), ring_of(observatory, code, territory)
    base = culture_base(observatory)
    row = observatory.commune(code)
    around = larger_areas(observatory, code, ring.level)
    sets: tuple[ComparisonSet, ...] = ()
    chosen = None
    if territory == "commune":
        portrait = make_portrait(observatory, row["code"])
        sets = tuple(item for item in portrait.sets if item.comparator.id in COMPARATORS)
        chosen = _chosen(observatory, row["code"], sets, comparator)
        names = [name for name in portrait.sheets if name.startswith("culture.") or name in ACCESS_FIGURES]
        sheets = {name: portrait.sheets[name] for name in names}
    else:
        every = [name for name in load_indicators() if name.startswith("culture.") or name in ACCESS_FIGURES]
        sheets = larger_sheets(observatory, area, larger_areas(observatory, code, territory), every)
    made = breakdown(base, area.rows, typology)
    concentrated, spread = concentration_sheets(observatory, base, ring, around)
    deserts, desert_sheet = desert_figures(observatory, base, ring, around, wanted)
    manifest = observatory.snapshot.manifest
    return CulturePage(
        code=row["code"],
        name=row["name"],
        area=area,
        ring=ring,
        chosen=chosen,
        sets=sets,
        sheets=sheets,
        key_figures=tuple(sheets[name] for name in KEY_FIGURES if name in sheets),
        typology=typology,
        breakdown=made,
        against=_against(observatory, code, territory, typology, chosen) if made else (),
        kinds=kind_rows(observatory, base, area, ring, around),
        concentration=concentrated,
        main_town="" if concentrated is None else base.communes["name"][concentrated.main],
        spread=spread,
        deserts=deserts,
        desert_sheet=desert_sheet,
        density=density_map(observatory, base, ring, measure=measure, bandwidth=bandwidth)
        if ring.level in MAPPED
        else None,
        festivals=_festivals(observatory, area),
        festivals_around=_festivals(observatory, ring),
        described=int(base.covered[ring.rows].sum()),
        demo=base.demo,
        snapshot={
            "id": observatory.snapshot.id,
            "date": manifest["created"],
            "cog": manifest["cog"],
            "demonstration": observatory.snapshot.demo,
        },
    )


def _chosen(
    observatory: Observatory, code: str, sets: tuple[ComparisonSet, ...], comparator: str | None
) -> ComparisonSet:
    """Return the set asked for, else the first that gives ranks in percent, else the first."""
    if comparator is not None:
        return next(
            (item for item in sets if item.comparator.id == comparator), comparison_set(observatory, code, comparator)
        )
    ordered = sorted(sets, key=lambda item: COMPARATORS.index(item.comparator.id))
    full = (item for item in ordered if item.status == "ok" and item.comparator.percentiles)
    return next(full, ordered[0])


def _against(
    observatory: Observatory, code: str, territory: str, typology: str, chosen: ComparisonSet | None
) -> tuple[Against, ...]:
    """Return the places by category of the set of communes, and of the territories that hold this one."""
    base = culture_base(observatory)
    found = []
    if chosen is not None and chosen.members.size:
        rows = np.array([base.position[name] for name in chosen.codes(observatory.matrix)], dtype=np.int64)
        # As for the ranks: the communes of the set whose places are known.
        if (together := breakdown(base, rows[base.covered[rows]], typology)) is not None:
            found.append(Against("set", f"{chosen.comparator.label} ({chosen.among})", together))
    larger = [(item, breakdown(base, item.rows, typology)) for item in larger_areas(observatory, code, territory)]
    return (*found, *(Against(item.level, item.name, made) for item, made in larger if made is not None))


def _festivals(observatory: Observatory, area: Area) -> Festivals | None:
    """Return the festivals of a territory, ``None`` where the list leaves one of its communes out."""
    if not observatory.snapshot.has_table("festivals") or not _festival_codes(observatory).issuperset(area.codes):
        return None
    return festivals_of(
        _festival_table(observatory), area.codes, demo=bool(observatory.table_info("festivals")["demo"])
    )


@lru_cache(maxsize=2)
def _festival_codes(observatory: Observatory) -> frozenset[str]:
    return described(observatory, "festivals", _festival_table(observatory))


@lru_cache(maxsize=2)
def _festival_table(observatory: Observatory) -> pl.DataFrame:
    return with_seasons(observatory.snapshot.table("festivals").collect())
