"""The shops of a town in a few sentences: they describe, and never give a cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bourg.commerce.centre import Centre
from bourg.commerce.typology import rules
from bourg.indicators.engine import USABLE
from bourg.indicators.values import ValueSheet
from bourg.portrait.themes.commerce_flows import Flows
from bourg.portrait.themes.commerce_mix import REGISTERS, Mix
from bourg.text import NBSP, count_of, format_number, format_value, join_words

# Types named in the summary; the others are counted.
_NAMED = 4


@dataclass(frozen=True)
class PlaceDiversity:
    """Diversity of the open shops of one place.

    ``rarefied`` is the number of types among as many shops drawn as the rule says; ``None`` with fewer shops.
    """

    label: str
    shops: int
    types: int
    effective: float
    rarefied: float | None


def _told(sheet: ValueSheet, comparator: str) -> str:
    """Return the place of a figure in the set, after a colon, or nothing."""
    found = sheet.compared_with(comparator)
    return f"{NBSP}: {found.sentence}" if found else ""


def _has(sheets: Mapping[str, ValueSheet], name: str) -> ValueSheet | None:
    sheet = sheets.get(name)
    return sheet if sheet is not None and sheet.status in USABLE and sheet.value is not None else None


def summary_sentences(
    name: str,
    sheets: Mapping[str, ValueSheet],
    comparator: str,
    *,
    mix: Mix | None,
    centre: Centre | None,
    flows: Flows | None,
) -> tuple[str, ...]:
    """Return what a mayor reads first: number, what lacks, centre, brands, evolution; empty parts are left out."""
    made = []
    if mix is not None and mix.total == 0:
        return (f"{name} n'a aucun commerce connu de la source « {REGISTERS[mix.register]} » : c'est un zéro compté.",)
    if mix is not None:
        made.append(_number(name, mix, sheets, comparator))
    if mix is not None and not mix.message:
        if mix.lacking_names:
            named = [*mix.lacking_names[:_NAMED]]
            rest = len(mix.lacking_names) - _NAMED
            named += [f"{count_of(rest, 'autre type', 'autres types')}"] if rest > 0 else []
            made.append(f"Il manque ici {join_words(named)}, que les {mix.among} ont le plus souvent.")
        else:
            made.append(f"Aucun type de commerce que les {mix.among} ont le plus souvent ne manque ici.")
    if centre is not None and centre.share is not None:
        made.append(
            f"Le centre réunit {format_value(centre.share, '%')} des commerces dont la position est connue "
            f"({format_number(centre.inside)} sur {format_number(centre.inside + centre.outside)})."
        )
    elif centre is not None and centre.reason:
        made.append(centre.reason)
    low, high = _has(sheets, "commerce.chain_share_low"), _has(sheets, "commerce.chain_share_high")
    if low is not None and high is not None:
        made.append(
            f"Entre {low.text} et {high.text} des commerces ont une enseigne de réseau : l'écart est celui des "
            "commerces dont on ne sait pas."
        )
    if flows is not None:
        made.append(flow_sentence(flows))
    return tuple(made)


def _number(name: str, mix: Mix, sheets: Mapping[str, ValueSheet], comparator: str) -> str:
    """Return the number of shops; the rate is that of the BPE, so the BPE says on how many shops it rests."""
    rate, counted = _has(sheets, "commerce.per_1000"), _has(sheets, "commerce.count")
    shops = count_of(mix.total, "commerce ou service en vitrine", "commerces et services en vitrine")
    told = ""
    if rate is not None and counted is not None:
        told = (
            f"soit {format_number(rate.value or 0, rate.decimals)} pour 1{NBSP}000 habitants{_told(rate, comparator)}"
        )
        told = f", {told}" if mix.register == "bpe" else (
            f" ; la base permanente des équipements en compte {format_number(counted.value or 0)}, {told}"
        )  # fmt: skip
    source = "d'après Sirene" if mix.register == "sirene" else "d'après la base permanente des équipements"
    return f"{name} compte {shops} {source}{told}."


def flow_sentence(flows: Flows) -> str:
    """Return openings and closures of the window, and their difference."""
    opened, closed = (int(flows.groups[column].sum()) for column in ("opened", "closed"))
    first, last = flows.window
    if not opened and not closed:
        return f"De {first} à {last}, aucun commerce n'a ouvert ni fermé."
    net = opened - closed
    told = "autant d'ouvertures que de fermetures" if not net else (
        f"{format_number(abs(net))} de {'plus' if net > 0 else 'moins'} au bout du compte"
    )  # fmt: skip
    return (
        f"De {first} à {last}, {count_of(opened, 'commerce a ouvert', 'commerces ont ouvert')} et "
        f"{count_of(closed, 'a fermé', 'ont fermé')}{NBSP}: {told}."
    )


def diversity_sentences(
    sheets: Mapping[str, ValueSheet], comparator: str, places: tuple[PlaceDiversity, ...]
) -> tuple[str, ...]:
    """Return what the indices of diversity say, in plain words."""
    made = []
    types, effective = _has(sheets, "commerce.types_count"), _has(sheets, "commerce.effective_types")
    if types is not None and types.value == 1:
        made.append("Les commerces sont tous du même type.")
    elif types is not None and effective is not None:
        made.append(
            f"D'après la base permanente des équipements, les commerces sont de "
            f"{format_value(types.value or 0, 'types')} ; certains types en ont beaucoup, "
            f"d'autres un seul : la variété est celle de {format_value(effective.value or 0, 'types', 1)} à parts "
            f"égales{_told(effective, comparator)}."
        )
    rarefied = _has(sheets, "commerce.rarefied_types")
    size = rules()["rarefaction"]
    if rarefied is not None:
        spread = next((item for item in rarefied.distributions if item.comparator == comparator), None)
        median = f" (médiane de l'ensemble comparé : {format_number(spread.median, 1)})" if spread else ""
        made.append(
            f"Parmi {format_number(size)} commerces pris au hasard, on en trouve "
            f"{format_value(rarefied.value or 0, 'types', 1)} différents{median} : ce nombre se compare entre villes "
            "de tailles différentes."
        )
    elif types is not None:
        made.append(
            f"Avec moins de {format_number(size)} commerces, la variété ne se compare pas à celle d'autres villes."
        )
    inner, outer = (
        next((item for item in places if item.label == label), None) for label in ("Le centre", "Hors du centre")
    )
    if inner and outer and inner.rarefied is not None and outer.rarefied is not None:
        made.append(
            f"Le même tirage donne {format_value(inner.rarefied, 'types', 1)} dans le centre et "
            f"{format_value(outer.rarefied, 'types', 1)} hors du centre (d'après Sirene)."
        )
    return tuple(made)
