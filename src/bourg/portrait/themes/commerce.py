"""The document of town-centre shops: one object for the dashboard page, the static site, the PDF and the API.

Nothing here draws: figures are value sheets, the rest are small tables and sentences. Composition, classes, evolution
and centre are those of one town in the snapshot in service; the centre follows a rule that the caller may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import polars as pl
import shapely
from shapely.geometry.base import BaseGeometry

from bourg.commerce.centre import INSIDE, OUTSIDE, Centre, CentreRule, Perimeter, centre_of
from bourg.commerce.diversity import diversity
from bourg.commerce.typology import rules
from bourg.compare.comparators import ComparisonSet
from bourg.indicators.engine import USABLE
from bourg.indicators.values import SourceNote, ValueSheet
from bourg.portrait.comparison import comparison_set
from bourg.portrait.document import Portrait, make_portrait
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS
from bourg.portrait.themes.commerce_flows import Flows, hidden, make_flows
from bourg.portrait.themes.commerce_mix import COUNTED, Mix, Register, make_mix, register_of
from bourg.portrait.themes.commerce_shops import ClassRow, class_rows, evidence_rows, labelled, read_shops
from bourg.portrait.themes.commerce_summary import PlaceDiversity, diversity_sentences, summary_sentences

THEME = "commerce"
# What a mayor asks first; those of Sirene are left out where the snapshot has no register for the town.
KEY_FIGURES = (
    "commerce.count", "commerce.sirene_count", "commerce.per_1000", "commerce.rarefied_types", "commerce.chain_share",
    "commerce.centre_share", "commerce.net_change", "commerce.survival_3", "commerce.vacancy_proxy",
)  # fmt: skip


@dataclass(frozen=True)
class CommercePage:
    """What is known of the shops of a town.

    Attributes
    ----------
    code, name
        The commune.
    chosen
        The communes it is compared with.
    sets, set_labels
        Every set the town may be compared with, and how each is named.
    sheets, key_figures
        Value sheets of the theme by indicator; those shown first.
    mix
        Composition by type; ``None`` when no source gives a count (``nothing`` says why).
    registered
        Whether Sirene describes the town: without it there is no list, class, centre nor evolution.
    centre
        The centre by the rule or by a declared perimeter; ``None`` without Sirene.
    outline, town_hall
        The commune (EPSG:4326) and the town hall (degrees), when known.
    shops
        Open shops with their labels (:func:`bourg.portrait.themes.commerce_shops.labelled`).
    classes, classes_by_group, evidence
        Network brands, independents, undetermined: of all, by group, and by evidence.
    places
        Diversity of the town, of its centre and of the rest, all three from Sirene.
    flows
        Openings, closures, survival; ``None`` without Sirene.
    demo
        Whether something shown is generated.
    snapshot
        Id, date and geography.
    """

    code: str
    name: str
    chosen: ComparisonSet
    sets: tuple[ComparisonSet, ...]
    set_labels: dict[str, str]
    sheets: dict[str, ValueSheet]
    key_figures: tuple[ValueSheet, ...]
    mix: Mix | None
    nothing: str
    registered: bool
    centre: Centre | None
    outline: BaseGeometry | None
    town_hall: tuple[float, float] | None
    shops: pl.DataFrame
    classes: ClassRow
    classes_by_group: tuple[ClassRow, ...]
    evidence: tuple[tuple[str, str, int], ...]
    places: tuple[PlaceDiversity, ...]
    flows: Flows | None
    demo: bool
    shops_demo: bool
    snapshot: dict[str, Any]

    @property
    def set_label(self) -> str:
        """How the communes compared with are named: « Département : Aveyron »."""
        return self.set_labels[self.chosen.comparator.id]

    @property
    def has_centre(self) -> bool:
        """Whether the rule, or the declared perimeter, gives a centre."""
        return self.centre is not None and self.centre.origin != "none"

    @property
    def sources(self) -> tuple[SourceNote, ...]:
        """Sources of the sheets that have a value, each once."""
        used = (source for sheet in self.sheets.values() if sheet.status in USABLE for source in sheet.sources)
        return tuple(dict.fromkeys(used))

    def summary(self) -> tuple[str, ...]:
        """Return the page in a few French sentences, for somebody who reads nothing else."""
        return summary_sentences(
            self.name, self.sheets, self.chosen.comparator.id, mix=self.mix, centre=self.centre, flows=self.flows
        )

    def diversity(self) -> tuple[str, ...]:
        """Return the diversity of the shops in plain words."""
        return diversity_sentences(self.sheets, self.chosen.comparator.id, self.places)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types: shops are counted, not listed (their list is a file of its own)."""
        return {
            "commune": {"code": self.code, "nom": self.name},
            "comparaison": {
                "ensemble": self.chosen.comparator.id, "nom": self.set_label, "statut": self.chosen.status,
                "communes": int(self.chosen.members.size), "message": self.chosen.message,
            },
            "resume": list(self.summary()),
            "indicateurs": [sheet.to_dict() for sheet in self.sheets.values()],
            "composition": asdict(self.mix) if self.mix else None,
            "sans_composition": self.nothing,
            "diversite": {"phrases": list(self.diversity()), "lieux": [asdict(item) for item in self.places]},
            "classes": {
                "ensemble": asdict(self.classes), "groupes": [asdict(item) for item in self.classes_by_group],
                "preuves": [{"classe": name, "preuve": proof, "commerces": n} for name, proof, n in self.evidence],
            } if self.registered else None,
            "centre": self.centre.to_dict() if self.centre else None,
            "evolution": _flows_dict(self.flows),
            "demonstration": self.demo,
            "instantane": self.snapshot,
        }  # fmt: skip


def _flows_dict(flows: Flows | None) -> dict[str, Any] | None:
    if flows is None:
        return None
    return {
        "annees": flows.years.to_dicts(), "types": flows.types.to_dicts(), "fenetre": list(flows.window),
        "survie": flows.survival.to_dicts(), "adresses": flows.addresses,
        "depuis": rules()["first_year"],
    }  # fmt: skip


def make_commerce_page(
    observatory: Observatory,
    code: str,
    *,
    comparator: str | None = None,
    centre_rule: CentreRule | None = None,
    declared: Perimeter | None = None,
    register: Register | None = None,
    since: int | None = None,
    portrait: Portrait | None = None,
) -> CommercePage:
    """Assemble what is known of the shops of a commune.

    Parameters
    ----------
    observatory
        The opened snapshot.
    code
        INSEE code; the code of a merged commune gives the commune it joined.
    comparator
        Id of the communes compared with (``similar``, ``size_class``…); by default the first that gives percentages.
    centre_rule, declared
        Rule of the centre (the declared one by default), or a perimeter that replaces it.
    register
        Source of the composition, ``sirene`` or ``bpe``; the one that describes the town is taken when it does not.
    since
        First year of the evolution.
    portrait
        The portrait of the same commune, when the caller has it: half of the time is saved.

    Raises
    ------
    MalformedCodeError, UnknownTerritoryError
        When the code is not one of a commune.
    ParameterError
        Unknown comparator; year before the break of the series.
    """
    row = observatory.commune(code)
    found = portrait if portrait is not None else make_portrait(observatory, row["code"])
    sheets = {name: sheet for name, sheet in found.sheets.items() if sheet.theme == THEME}
    chosen = comparison_set(observatory, row["code"], comparator or _first_set(found.sets))
    counted = register_of(sheets, register)
    registered = _usable(sheets, COUNTED["sirene"]) and not hidden(sheets, "commerce.chain_share_low")
    table = read_shops(observatory.snapshot, row["code"]) if registered else read_shops(observatory.snapshot, "")
    outline = _outline(observatory, row["code"])
    hall = observatory.town_hall(row["code"])
    place = (hall["longitude"], hall["latitude"]) if hall and hall["longitude"] is not None else None
    centre = None
    if registered:
        centre = centre_of(table, place, outline, rule=centre_rule, declared=declared)
    drawn = centre is not None and centre.origin != "none"
    shops = labelled(centre.shops if centre is not None else table.with_columns(place=pl.lit("")), centre=drawn)
    mix = None
    if counted is not None:
        inside = shops.filter(pl.col("place") == INSIDE) if drawn and counted == "sirene" else None
        mix = make_mix(observatory, sheets[COUNTED[counted]], counted, chosen, centre=inside)
    whole, by_group = class_rows(shops)
    return CommercePage(
        code=row["code"],
        name=row["name"],
        chosen=chosen,
        set_labels={item.comparator.id: _set_label(row, item) for item in (*found.sets, chosen)},
        sets=found.sets,
        sheets=sheets,
        key_figures=_key_figures(sheets),
        mix=mix,
        nothing="" if mix else _nothing(sheets),
        registered=registered,
        centre=centre,
        outline=outline,
        town_hall=place,
        shops=shops,
        classes=whole,
        classes_by_group=by_group,
        evidence=evidence_rows(shops),
        places=_place_diversity(shops, drawn=drawn),
        flows=make_flows(observatory, sheets, table, chosen, since=since) if registered else None,
        demo=any(sheet.demo for sheet in sheets.values()),
        shops_demo=registered and sheets[COUNTED["sirene"]].demo,
        snapshot=dict(found.snapshot),
    )


def _usable(sheets: dict[str, ValueSheet], indicator: str) -> bool:
    return indicator in sheets and sheets[indicator].status in USABLE


def _first_set(sets: Sequence[ComparisonSet]) -> str:
    """Return the first set that gives percentages, in the order of the pages; else the first one."""
    known = {item.comparator.id: item for item in sets}
    full = (
        name
        for name in COMPARATORS
        if name in known and known[name].status == "ok" and known[name].comparator.percentiles
    )
    return next(full, COMPARATORS[0])


def _set_label(row: dict[str, Any], chosen: ComparisonSet) -> str:
    names = {"departement": row["departement_name"], "region": row["region_name"], "epci": row["epci_name"]}
    label = chosen.comparator.label
    place = names.get(chosen.comparator.id)
    return f"{label} : {place}" if place else label


def _key_figures(sheets: dict[str, ValueSheet]) -> tuple[ValueSheet, ...]:
    """Return the key figures that have a value; all of them when none has, since each says why."""
    shown = [sheets[name] for name in KEY_FIGURES if name in sheets]
    usable = [sheet for sheet in shown if sheet.status in USABLE]
    return tuple(usable or shown)


def _nothing(sheets: dict[str, ValueSheet]) -> str:
    sheet = sheets.get(COUNTED["bpe"]) or sheets.get(COUNTED["sirene"])
    if sheet is None:
        return (
            "L'instantané n'a ni base permanente des équipements ni Sirene : aucun compte de commerces. Ce n'est pas "
            "un zéro."
        )
    return f"{sheet.label} : {sheet.text}. {sheet.explanation}"


@lru_cache(maxsize=64)
def _shape(path: str, code: str) -> BaseGeometry | None:
    found = pl.scan_parquet(path).filter(pl.col("code") == code).select("wkb").collect()["wkb"].drop_nulls()
    return shapely.from_wkb(found[0]) if len(found) else None


def _outline(observatory: Observatory, code: str) -> BaseGeometry | None:
    if not observatory.snapshot.has_table("outlines"):
        return None
    return _shape(str(observatory.snapshot.path("tables/outlines.parquet")), code)


def _place_diversity(shops: pl.DataFrame, *, drawn: bool) -> tuple[PlaceDiversity, ...]:
    """Return the diversity of the shops of the town, of its centre and of the rest; places without shop left out."""
    parts = {"Toute la commune": shops}
    if drawn:
        parts["Le centre"] = shops.filter(pl.col("place") == INSIDE)
        parts["Hors du centre"] = shops.filter(pl.col("place") == OUTSIDE)
    rows = [part.select(label=pl.lit(label), type="type") for label, part in parts.items()]
    counts = pl.concat(rows).group_by("label", "type").agg(n=pl.len().cast(pl.Int64))
    told = diversity(counts.lazy(), by="label", m=rules()["rarefaction"]).collect()
    found = {row["label"]: row for row in told.iter_rows(named=True)}
    names = ("shops", "types", "effective", "rarefied")
    return tuple(PlaceDiversity(label, *(found[label][name] for name in names)) for label in parts if label in found)
