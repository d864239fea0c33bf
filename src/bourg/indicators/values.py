"""The value sheet: one figure with everything needed to read, judge and recompute it, the same on every face."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bourg.geography.levels import LEVEL_LABELS
from bourg.indicators.engine import USABLE
from bourg.indicators.ranks import set_label
from bourg.indicators.registry import get_indicator
from bourg.sources.model import Source, load_catalogue
from bourg.text import NBSP, count_of, format_number, format_value

# Status -> label, text shown instead of a value, explanation.
_STATUS: dict[str, tuple[str, str, str]] = {
    "ok": ("publiée", "", "Valeur tirée des sources officielles indiquées."),
    "missing": (
        "manquante",
        "donnée manquante",
        "Aucune source lue ne décrit entièrement ce territoire : ce n'est pas un zéro.",
    ),
    "secret": (
        "secrète",
        "secret statistique",
        "Le producteur ne publie pas ce chiffre, pour protéger les personnes : ce n'est pas un zéro.",
    ),
    "not_applicable": (
        "sans objet",
        "sans objet",
        "Le calcul n'a pas de sens ici : dénominateur nul, ou comparaison interdite par une rupture de série.",
    ),
    "unreachable": ("non accessible", "non accessible", "Aucun trajet n'existe dans la limite étudiée."),
    "estimated": ("estimée", "", "Valeur estimée : lire la formule."),
    "demo": (
        "de démonstration",
        "",
        "Au moins une des sources a été fabriquée dans le format officiel : ce n'est pas un vrai chiffre.",
    ),
}


def status_label(status: str) -> str:
    """Return the French label of a status (« manquante », « secrète »…)."""
    return _STATUS[status][0]


def status_explanation(status: str) -> str:
    """Return the French sentence that explains a status."""
    return _STATUS[status][2]


def value_text(indicator_id: str, value: float | None, status: str, *, unit: bool = True) -> str:
    """Return the French text of a value: ``12,3 %``, or the reason why there is none.

    Raises
    ------
    UnknownIndicatorError
        When the indicator is not in the registry.
    """
    declared = get_indicator(indicator_id).declaration
    if status not in USABLE or value is None:
        return _STATUS[status][1]
    return format_value(value, declared.unit if unit else "", declared.decimals)


@dataclass(frozen=True)
class Comparison:
    """The place of a value in a set of communes; ``n_set`` counts the commune itself."""

    comparator: str
    set_id: str
    set_label: str
    n_set: int
    percentile_strict: float
    percentile_mid: float
    rank: int
    demo: bool
    sentence: str


@dataclass(frozen=True)
class Elsewhere:
    """The same indicator in a larger territory."""

    level: str
    level_label: str
    code: str
    name: str
    value: float | None
    text: str
    status: str
    period: str


@dataclass(frozen=True)
class SourceNote:
    """What a reader needs to find a source again."""

    id: str
    title: str
    producer: str
    vintage: str
    licence: str
    landing_page: str


@dataclass(frozen=True)
class ValueSheet:
    """One value of one territory, ready to show; texts are French."""

    indicator: str
    label: str
    theme: str
    level: str
    code: str
    territory: str
    value: float | None
    text: str
    unit: str
    period: str
    status: str
    status_label: str
    explanation: str
    demo: bool
    n: int | None
    direction: str
    decimals: int
    comparisons: tuple[Comparison, ...]
    elsewhere: tuple[Elsewhere, ...]
    formula: str
    sources: tuple[SourceNote, ...]
    limits: str
    reference: str
    secrecy: str | None
    series_break: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    def to_text(self) -> str:
        """Return the sheet as lines of text, for a terminal."""
        lines = [f"{self.label} : {self.text}" + (f" ({self.period})" if self.period else "")]
        if self.status != "ok":
            lines.append(f"  Statut : {self.status_label}. {self.explanation}")
        lines += [f"  {item.sentence[0].upper()}{item.sentence[1:]}." for item in self.comparisons]
        lines += [f"  {item.name or item.level_label} : {item.text}" for item in self.elsewhere]
        lines.append(f"  Formule : {self.formula}")
        for source in self.sources:
            details = [source.producer, source.vintage, source.licence]
            lines.append(f"  Source : {source.title} ({', '.join(filter(None, details))}) {source.landing_page}")
        lines.append(f"  Ce que ce chiffre ne dit pas : {self.limits}")
        if self.secrecy:
            lines.append(f"  Secret : {self.secrecy}")
        if self.series_break:
            lines.append(f"  Rupture de série : {self.series_break}")
        lines.append(f"  Référence : {self.reference}")
        return "\n".join(lines)


def value_sheet(
    row: Mapping[str, Any],
    *,
    ranks: Iterable[Mapping[str, Any]] = (),
    elsewhere: Iterable[tuple[str, Mapping[str, Any]]] = (),
    territory: str = "",
    vintages: Mapping[str, str] | None = None,
    catalogue: Mapping[str, Source] | None = None,
) -> ValueSheet:
    """Make the sheet of one row of the values table.

    Parameters
    ----------
    row
        ``indicator, level, code, period, value, status, n, source_ids``.
    ranks
        Rows of :func:`bourg.indicators.ranks.percentiles`; those of other indicators, codes or periods are ignored.
    elsewhere
        ``(name, row)`` of larger territories; rows of other indicators are ignored.
    territory
        Name of the territory.
    vintages
        Source id -> vintage read for this snapshot; the period of the value by default.
    catalogue
        Sources by id; the shipped catalogue by default.

    Raises
    ------
    UnknownIndicatorError
        When the indicator is not in the registry.
    """
    declared = get_indicator(row["indicator"]).declaration
    status = row["status"]
    return ValueSheet(
        indicator=declared.id,
        label=declared.label,
        theme=declared.theme,
        level=row["level"],
        code=row["code"],
        territory=territory,
        value=row["value"],
        text=value_text(declared.id, row["value"], status),
        unit=declared.unit,
        period=row["period"],
        status=status,
        status_label=status_label(status),
        explanation=status_explanation(status),
        demo=status == "demo",
        n=row["n"],
        direction=declared.direction,
        decimals=declared.decimals,
        comparisons=tuple(comparison(rank) for rank in ranks if _about(rank, row)),
        elsewhere=tuple(_elsewhere(name, other) for name, other in elsewhere if other["indicator"] == declared.id),
        formula=declared.formula,
        sources=_sources(row["source_ids"].split(","), vintages or {}, catalogue or load_catalogue()),
        limits=declared.limits,
        reference=declared.reference,
        secrecy=declared.secrecy,
        series_break=declared.series_break,
    )


def _about(rank: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    same = all(rank[key] == row[key] for key in ("indicator", "code", "period"))
    return same and rank["percentile_strict"] is not None


def _elsewhere(name: str, row: Mapping[str, Any]) -> Elsewhere:
    return Elsewhere(
        level=row["level"],
        level_label=LEVEL_LABELS[row["level"]],
        code=row["code"],
        name=name,
        value=row["value"],
        text=value_text(row["indicator"], row["value"], row["status"]),
        status=row["status"],
        period=row["period"],
    )


def _sources(
    ids: Sequence[str], vintages: Mapping[str, str], catalogue: Mapping[str, Source]
) -> tuple[SourceNote, ...]:
    known = [catalogue[name] for name in ids if name in catalogue]
    return tuple(
        SourceNote(
            source.id, source.title, source.producer, vintages.get(source.id, ""), source.licence, source.landing_page
        )
        for source in known
    )


def comparison(rank: Mapping[str, Any]) -> Comparison:
    """Return the comparison told by one row of ranks, with its French sentence."""
    label = set_label(rank["comparator"], rank["set_id"])
    sentence = rank_sentence(rank["n_set"], rank["n_below"], rank["n_equal"], label)
    if rank["demo"]:
        sentence += " (rang calculé sur des valeurs de démonstration)"
    return Comparison(
        comparator=rank["comparator"],
        set_id=rank["set_id"],
        set_label=label,
        n_set=rank["n_set"],
        percentile_strict=rank["percentile_strict"],
        percentile_mid=rank["percentile_mid"],
        rank=rank["rank"],
        demo=rank["demo"],
        sentence=sentence,
    )


def rank_sentence(n_set: int, n_below: int, n_equal: int, label: str) -> str:
    """Return « plus élevé que dans 72 % des 1 234 autres communes de 2 000 à 4 999 habitants », or what is truer.

    Extremes and ties are said as such; a share that rounds to 0 or 100 % without being so is told with its bound.
    """
    others = n_set - 1
    everyone = f"{count_of(n_set, 'commune')} {label}"
    rest = f"{format_number(others)}{NBSP}autres communes {label}"
    if n_equal == others:
        return f"même valeur que dans les {rest}"
    if n_below == others:
        return f"valeur la plus élevée des {everyone}"
    if n_below == 0 and n_equal == 0:
        return f"valeur la plus basse des {everyone}"
    if n_below == 0:
        return f"valeur la plus basse, comme dans {_percent(n_equal, others)} des {rest}"
    if n_below + n_equal == others and n_equal > 0:
        return f"valeur la plus élevée, comme dans {_percent(n_equal, others)} des {rest}"
    return f"plus élevé que dans {_percent(n_below, others)} des {rest}"


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole
    rounded = round(share)
    if rounded == 0:
        return f"moins de 1{NBSP}%"
    if rounded == 100 and part < whole:
        return f"plus de 99{NBSP}%"
    return f"{format_number(rounded)}{NBSP}%"
