"""Figures of the page of culture that no commune has by itself: spread, concentration, deserts, as value sheets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import polars as pl

from bourg.culture.base import CultureBase
from bourg.culture.deserts import Deserts, desert_share, find_deserts
from bourg.culture.kinds import Kind, kinds
from bourg.culture.spread import Concentration, Served, concentration, served
from bourg.geography.levels import LEVEL_LABELS
from bourg.indicators.engine import USABLE
from bourg.indicators.units import FRANCE_LABELS
from bourg.indicators.values import Elsewhere, ValueSheet, elsewhere_of, status_explanation, status_label, value_sheet
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.culture_areas import Area, culture_base, rows_of
from bourg.portrait.themes.culture_words import any_of, kilometres
from bourg.text import format_value

SOURCES = "basilic,populations"
_LIST = (
    "Basilic recense des lieux, pas leur activité, leur taille ni leurs horaires ; le recensement porte sur 2020, un "
    "lieu récent peut manquer."
)
_HOME = (
    "Avoir un lieu dans sa commune n'est pas l'avoir près de chez soi, et un lieu de la commune voisine peut être plus "
    "proche. " + _LIST
)
_CROW = (
    "À vol d'oiseau, depuis la mairie : ni la route, ni le relief, ni les habitants des hameaux n'y sont. Un temps de "
    "trajet demande un réseau de rues. " + _LIST
)


@dataclass(frozen=True)
class KindRow:
    """One kind of place on the page.

    Attributes
    ----------
    kind
        The kind.
    here
        Places in the town, or in the territory; ``None`` where the typed list does not describe it.
    nearest_km, nearest, nearest_commune
        Nearest place as the crow flies from the town hall of the town, its name and its commune; ``None`` when
        unknown, or when the territory is larger than a commune.
    served
        How the kind serves the communes of the ring; ``None`` where the list leaves one of them out.
    sheet
        Share of the inhabitants of the ring whose commune has one, beside the larger territories.
    """

    kind: Kind
    here: int | None
    nearest_km: float | None
    nearest: str | None
    nearest_commune: str | None
    served: Served | None
    sheet: ValueSheet


def computed_sheet(
    observatory: Observatory, area: Area, *, name: str, label: str, value: float | None, unit: str, decimals: int,
    demo: bool, formula: str, limits: str, reference: str, n: int | None = None, empty: str = "missing",
    elsewhere: Iterable[tuple[Area, float | None]] = (), direction: str = "neutral",
) -> ValueSheet:  # fmt: skip
    """Return the sheet of a figure worked out by the page.

    Parameters
    ----------
    empty
        Status without a value: ``missing`` or ``not_applicable``.
    elsewhere
        The same figure in larger territories.
    """
    status = ("demo" if demo else "ok") if value is not None else empty
    notes = observatory.source_notes(SOURCES)
    period = next((note.vintage for note in notes if note.id == "basilic"), "")

    def text(number: float | None) -> str:
        return "donnée manquante" if number is None else format_value(number, unit, decimals)

    return ValueSheet(
        indicator=name, label=label, theme="culture", level=area.level, code=area.code, territory=area.name,
        value=value, text=text(value) if value is not None or empty == "missing" else "sans objet", unit=unit,
        period=period, status=status, status_label=status_label(status), explanation=status_explanation(status),
        demo=status == "demo", n=n, direction=direction, decimals=decimals, comparisons=(), distributions=(),
        elsewhere=tuple(
            Elsewhere(
                other.level, LEVEL_LABELS[other.level], other.code, other.name, number, text(number),
                "missing" if number is None else ("demo" if demo else "ok"), period,
            )
            for other, number in elsewhere
        ),
        formula=formula, sources=notes, limits=limits, reference=reference, secrecy=None, series_break=None,
    )  # fmt: skip


# Larger territories are told on every page that they hold: each figure is worked out once.
@lru_cache(maxsize=4096)
def _served(observatory: Observatory, level: str, code: str, kind: Kind) -> Served | None:
    return served(culture_base(observatory), rows_of(observatory, level, code), kind)


@lru_cache(maxsize=1024)
def _concentration(observatory: Observatory, level: str, code: str) -> Concentration | None:
    base, rows = culture_base(observatory), rows_of(observatory, level, code)
    return concentration(base, rows, base.count(kinds()["vivant"])[rows])


@lru_cache(maxsize=1024)
def _desert_share(observatory: Observatory, level: str, code: str, kind: Kind) -> float | None:
    return desert_share(culture_base(observatory), rows_of(observatory, level, code), kind)


def kind_rows(
    observatory: Observatory, base: CultureBase, area: Area, ring: Area, larger: Iterable[Area]
) -> tuple[KindRow, ...]:
    """Return each kind of place: in the territory, near the town hall, and over the communes of the ring.

    Parameters
    ----------
    observatory, base
        The snapshot and its places.
    area, ring
        The territory of the page, and the one whose spread is told.
    larger
        Territories that hold the ring.
    """
    above = list(larger)
    rows = []
    covered = bool(base.covered[area.rows].all())
    for kind in kinds().values():
        here = int(base.count(kind)[area.rows].sum()) if covered else None
        found = _served(observatory, ring.level, ring.code, kind)
        others = [(other, _served(observatory, other.level, other.code, kind)) for other in above]
        km, place, commune = None, None, None
        if area.level == "commune":
            km, place, commune = _nearest(base, area, kind)
        sheet = _served_sheet(observatory, kind, [(ring, found), *others], demo=base.demo)
        rows.append(KindRow(kind, here, km, place, commune, found, sheet))
    return tuple(rows)


def _nearest(base: CultureBase, area: Area, kind: Kind) -> tuple[float | None, str | None, str | None]:
    here = int(area.rows[0])
    distance, found = (values[here] for values in base.nearest(kind))
    if found < 0 or not base.covered[here] or base.away_from_unknown[here] < distance:
        # A commune that the list leaves out is nearer: a place may stand there.
        return None, None, None
    row = base.places.row(int(found), named=True)
    commune = base.position.get(row["code"])
    return float(distance), row["name"], None if commune is None else base.communes["name"][commune]


def _served_sheet(
    observatory: Observatory, kind: Kind, told: list[tuple[Area, Served | None]], *, demo: bool
) -> ValueSheet:
    (ring, found), *others = told
    return computed_sheet(
        observatory, ring, name=f"culture.served_{kind.id}",
        label=f"Part des habitants dont la commune a {kind.words}",
        value=None if found is None else found.share, unit="%", decimals=1, demo=demo,
        n=None if found is None else found.places, direction="higher_is_better",
        formula=f"100 × habitants des communes qui ont au moins {kind.words} ÷ habitants du territoire.",
        limits=_HOME, reference="Paramètre culture_kinds : types de Basilic de chaque genre de lieu.",
        elsewhere=[(other, None if item is None else item.share) for other, item in others],
    )  # fmt: skip


def concentration_sheets(
    observatory: Observatory, base: CultureBase, ring: Area, larger: Iterable[Area]
) -> tuple[Concentration | None, tuple[ValueSheet, ...]]:
    """Return the concentration of the living places of the ring, and its figures beside the larger territories."""
    living = base.count(kinds()["vivant"])
    found = _concentration(observatory, ring.level, ring.code)
    above = [(other, _concentration(observatory, other.level, other.code)) for other in larger]
    main = "" if found is None else f" ({base.communes['name'][found.main]})"
    empty = "missing" if found is None else "not_applicable"
    places = int(living[ring.rows].sum())

    def sheet(name: str, label: str, formula: str, reference: str) -> ValueSheet:
        attribute = {"culture.main_town_share": "main_places", "culture.hoover": "hoover", "culture.gini": "gini"}[name]
        unit, decimals = ("%", 1) if attribute == "main_places" else ("", 2)
        value = None if found is None else getattr(found, attribute)
        return computed_sheet(
            observatory, ring, name=name, label=label, value=value, unit=unit, decimals=decimals, demo=base.demo,
            n=places if found is not None else None, empty=empty, formula=formula, reference=reference,
            limits="Lieux vivants seulement ; un grand lieu compte comme un petit. " + _LIST,
            elsewhere=[(other, None if item is None else getattr(item, attribute)) for other, item in above],
        )  # fmt: skip

    return found, (
        sheet(
            "culture.main_town_share", f"Part des lieux vivants dans la commune la plus peuplée{main}",
            "100 × lieux vivants de la commune la plus peuplée ÷ lieux vivants du territoire.",
            "Commune la plus peuplée du territoire (populations municipales).",
        ),
        sheet(
            "culture.hoover", "Concentration des lieux vivants (indice de Hoover)",
            "½ Σ |part des lieux − part des habitants| sur les communes : part des lieux à déplacer pour que chaque "
            "commune en ait autant par habitant ; 0 quand les lieux suivent les habitants.",
            "E. M. Hoover, « The Measurement of Industrial Localization », Review of Economics and Statistics, 1936",
        ),
        sheet(
            "culture.gini", "Inégalité de la répartition des lieux vivants (indice de Gini)",
            "1 − Σ (Pᵢ − Pᵢ₋₁)(Lᵢ + Lᵢ₋₁), communes rangées par lieux par habitant, P et L parts cumulées des "
            "habitants et des lieux.",
            "C. Gini, Variabilità e mutabilità, 1912 ; courbe de Lorenz",
        ),
    )  # fmt: skip


def desert_figures(
    observatory: Observatory, base: CultureBase, ring: Area, larger: Iterable[Area], kind: Kind
) -> tuple[Deserts, ValueSheet]:
    """Return the deserts of the ring for a kind of place, and the share of the inhabitants concerned."""
    found = find_deserts(base, ring.rows, kind)
    above = [(other, _desert_share(observatory, other.level, other.code, kind)) for other in larger]
    km = kilometres(kind.desert_km)
    sheet = computed_sheet(
        observatory, ring, name=f"culture.desert_{kind.id}", label=f"Part des habitants loin de {any_of(kind)}",
        value=found.share, unit="%", decimals=1, demo=base.demo,
        n=found.people("far"),
        direction="lower_is_better",
        formula=f"100 × habitants des communes sans {kind.label} dont la mairie est à plus de {km}, à vol d'oiseau, du "
        "plus proche ÷ habitants du territoire.",
        limits=_CROW, reference="Paramètre culture_kinds : aucune définition officielle, distances choisies par Bourg.",
        elsewhere=above,
    )  # fmt: skip
    return found, sheet


def larger_sheets(
    observatory: Observatory, area: Area, larger: Iterable[Area], wanted: Iterable[str]
) -> dict[str, ValueSheet]:
    """Return the published figures of a territory larger than a commune, beside those that hold it.

    The widest field of France that has a value is given, under its own name.
    """
    names = list(wanted)
    above = list(larger)
    asked = [(item.level, item.code) for item in (area, *above)]
    if any(level == "france" for level, _ in asked):
        asked += [("france", code) for code in FRANCE_LABELS]
    table = observatory.values(sorted(set(asked))).filter(pl.col("indicator").is_in(names))
    values: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for value in table.iter_rows(named=True):
        values.setdefault((value["level"], value["code"]), {})[value["indicator"]] = value

    def row_of(item: Area, name: str) -> tuple[str, dict[str, Any]] | None:
        codes = list(FRANCE_LABELS) if item.level == "france" else [item.code]
        rows = [(code, values.get((item.level, code), {}).get(name)) for code in codes]
        given = [(code, row) for code, row in rows if row is not None]
        known = [pair for pair in given if pair[1]["status"] in USABLE] or given
        if not known:
            return None
        code, row = known[0]
        return (FRANCE_LABELS[code] if item.level == "france" else item.name), row

    sheets = {}
    for name in names:
        own = row_of(area, name)
        if own is None:
            continue
        others = [found for item in above if (found := row_of(item, name)) is not None]
        sheets[name] = value_sheet(
            own[1], elsewhere=[elsewhere_of(*pair) for pair in others], territory=own[0],
            sources=observatory.source_notes(own[1]["source_ids"]),
        )  # fmt: skip
    return sheets
