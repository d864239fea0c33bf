"""The value sheet: one figure with everything needed to read, judge and recompute it, the same on every face."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from typing import Any

from bourg.geography.levels import LEVEL_LABELS
from bourg.indicators.engine import USABLE
from bourg.indicators.rank_words import Comparison
from bourg.indicators.registry import Declaration, get_indicator
from bourg.sources.model import Source, load_catalogue
from bourg.text import format_value

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
        "Ce chiffre n'est pas publié (par le producteur ou par Bourg), pour protéger les personnes : pas un zéro.",
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


@cache
def declaration_of(indicator_id: str) -> Declaration:
    """Return the declaration of an indicator; errors are those of :func:`get_indicator`."""
    return get_indicator(indicator_id).declaration


@lru_cache(maxsize=16_384)
def value_text(indicator_id: str, value: float | None, status: str, *, unit: bool = True) -> str:
    """Return the French text of a value: ``12,3 %``, or the reason why there is none.

    Raises
    ------
    UnknownIndicatorError
        When the indicator is not in the registry.
    """
    declared = declaration_of(indicator_id)
    if status not in USABLE or value is None:
        return _STATUS[status][1]
    return format_value(value, declared.unit if unit else "", declared.decimals)


@dataclass(frozen=True)
class Distribution:
    """The values of a set of communes, for the same period and the same origin (real or generated) as the value."""

    comparator: str
    label: str
    set_label: str
    n: int
    minimum: float
    p10: float
    q1: float
    median: float
    q3: float
    p90: float
    maximum: float
    demo: bool


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
    distributions: tuple[Distribution, ...]
    elsewhere: tuple[Elsewhere, ...]
    formula: str
    sources: tuple[SourceNote, ...]
    limits: str
    reference: str
    secrecy: str | None
    series_break: str | None

    def compared_with(self, comparator: str) -> Comparison | None:
        """Return the comparison with one kind of communes (``size_class``, ``similar``…), if there is one."""
        return next((item for item in self.comparisons if item.comparator == comparator), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        # The sentences of the comparisons are no fields of theirs.
        return {**asdict(self), "comparisons": tuple(item.to_dict() for item in self.comparisons)}

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
    comparisons: Iterable[Comparison] = (),
    distributions: Iterable[Distribution] = (),
    elsewhere: Iterable[tuple[str, Mapping[str, Any]] | Elsewhere] = (),
    territory: str = "",
    sources: tuple[SourceNote, ...] | None = None,
) -> ValueSheet:
    """Make the sheet of one row of the values table.

    Parameters
    ----------
    row
        ``indicator, level, code, period, value, status, n, source_ids``.
    comparisons, distributions
        Of this very value (:func:`bourg.indicators.rank_words.comparison`).
    elsewhere
        ``(name, row)`` of larger territories, or what :func:`elsewhere_of` made of them; rows of other indicators are
        ignored.
    territory
        Name of the territory.
    sources
        What was read, of :func:`source_notes`; without their vintages by default.

    Raises
    ------
    UnknownIndicatorError
        When the indicator is not in the registry.
    """
    declared = declaration_of(row["indicator"])
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
        comparisons=tuple(comparisons),
        distributions=tuple(distributions),
        elsewhere=tuple(
            item if isinstance(item, Elsewhere) else elsewhere_of(*item)
            for item in elsewhere
            if isinstance(item, Elsewhere) or item[1]["indicator"] == declared.id
        ),
        formula=declared.formula,
        sources=source_notes(row["source_ids"]) if sources is None else sources,
        limits=declared.limits,
        reference=declared.reference,
        secrecy=declared.secrecy,
        series_break=declared.series_break,
    )


def elsewhere_of(name: str, row: Mapping[str, Any]) -> Elsewhere:
    """Return the value of a larger territory, from its name and its row of the table of values."""
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


def source_notes(
    source_ids: str, vintages: Mapping[str, str] | None = None, catalogue: Mapping[str, Source] | None = None
) -> tuple[SourceNote, ...]:
    """Return what a reader needs to find sources again.

    Parameters
    ----------
    source_ids
        Ids joined by commas, as in the table of values.
    vintages
        Source id -> vintage read for this snapshot.
    catalogue
        Sources by id; the shipped catalogue by default.
    """
    read, shipped = vintages or {}, catalogue or load_catalogue()
    known = [shipped[name] for name in source_ids.split(",") if name in shipped]
    return tuple(
        SourceNote(
            source.id, source.title, source.producer, read.get(source.id, ""), source.licence, source.landing_page
        )
        for source in known
    )
