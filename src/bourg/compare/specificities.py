"""What makes a town unlike the communes it is compared with: robust effects, told in French, never explained.

The sentences say how a value stands among others. They never say why, nor whether it is good.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from bourg.compare.comparators import ComparisonSet
from bourg.compare.counts import counts_among, family_groups
from bourg.compare.families import family_of, place_in_family
from bourg.compare.grammar import Subject, subject_of
from bourg.compare.matrix import NO_LOT, CommuneMatrix, Floats, Ints
from bourg.compare.settings import setting
from bourg.compare.structure import IQR_SCALE, MAD_SCALE
from bourg.indicators.parameters import parameter
from bourg.indicators.registry import Declaration, load_indicators
from bourg.indicators.values import declaration_of, value_text
from bourg.text import NBSP, format_number

_YEARS = re.compile(r"(\d{4})\D+(\d{4})")
_DEMO = " (valeurs de démonstration)"


@dataclass(frozen=True)
class Specificity:
    """One trait.

    Attributes
    ----------
    value, median, spread, effect
        ``effect`` = (value − median of the others) ÷ spread, capped; ``spread`` is 1.4826 × MAD, else the
        interquartile range ÷ 1.349, else 0: the effect is then the normal quantile of the mid-rank.
    higher
        Whether the town is above the others.
    n_set, n_below, n_equal
        Communes with a value (the town included), those below it, those equal to it.
    share
        Share (0–1) of the other communes that the town passes, on its side.
    percentile_strict, percentile_mid
        ``None`` where no percentage may be published.
    caution
        French note on the series, or empty.
    """

    indicator: str
    family: str
    label: str
    value: float
    value_text: str
    period: str
    demo: bool
    median: float
    median_text: str
    spread: float
    effect: float
    higher: bool
    n_set: int
    n_below: int
    n_equal: int
    share: float
    percentile_strict: float | None
    percentile_mid: float | None
    sentence: str
    caution: str


@dataclass(frozen=True)
class Specificities:
    """The traits of a town in one set.

    Attributes
    ----------
    status
        ``ok``; ``no_value``: the town has no usable value; ``no_set``: nothing to compare with; ``none``: nothing
        stands out.
    message
        French sentence for every status but ``ok``.
    blocked
        ``(indicator, reason)`` of the evolutions that a series break forbids.
    """

    code: str
    comparator: str
    set_id: str
    status: Literal["ok", "no_value", "no_set", "none"]
    message: str
    traits: tuple[Specificity, ...]
    blocked: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def specificities(
    matrix: CommuneMatrix,
    code: str,
    chosen: ComparisonSet,
    *,
    indicators: Iterable[str] | None = None,
    limit: int | None = None,
) -> Specificities:
    """Return what stands out in a town, the largest robust effect first, one trait per family.

    Raises
    ------
    UnknownTerritoryError, UnknownIndicatorError
        When the code or an indicator is unknown.
    """
    rules = setting("specificity_rules")
    position = matrix.position(code)
    known = load_indicators()
    names = [name for name in matrix.indicators if name in known] if indicators is None else list(indicators)
    rows = {name: matrix.row(name) for name in names}
    usable = [name for name in names if matrix.lots[rows[name], position] != NO_LOT]
    blocked = tuple(
        (name, reason) for name in names if (reason := _blocked(matrix, rows[name], position, declaration_of(name)))
    )

    def answer(
        status: Literal["ok", "no_value", "no_set", "none"], message: str, traits: tuple[Specificity, ...] = ()
    ) -> Specificities:
        return Specificities(code, chosen.comparator.id, chosen.set_id, status, message, traits, blocked)

    if not usable:
        return answer("no_value", "Aucune valeur n'est connue pour cette commune : rien à comparer.")
    if chosen.status in ("empty", "absent"):
        return answer("no_set", chosen.message)
    never = set(rules["never"].get(chosen.comparator.id, ()))
    stopped = {name for name, _ in blocked}
    candidates = [name for name in usable if name not in stopped and family_of(name) not in never]
    rated = {family_of(name) for name in candidates if declaration_of(name).kind != "count"}
    candidates = [name for name in candidates if declaration_of(name).kind != "count" or family_of(name) not in rated]
    traits = [
        trait
        for name in _apart(matrix, position, candidates, chosen)
        if (trait := _trait(matrix, position, name, rows[name], chosen)) is not None
    ]
    traits.sort(key=lambda trait: (-abs(trait.effect), -trait.share, place_in_family(trait.indicator), trait.indicator))
    first: dict[str, Specificity] = {}
    for trait in traits:
        first.setdefault(trait.family, trait)
    shown = tuple(first.values())[: rules["shown"] if limit is None else limit]
    if not shown:
        return answer("none", f"Rien ne distingue nettement cette commune parmi les {chosen.among}.")
    return answer("ok", "", shown)


def _apart(matrix: CommuneMatrix, position: int, names: Sequence[str], chosen: ComparisonSet) -> list[str]:
    """Return the indicators by which the town passes enough of the others: the few whose effect is worth measuring."""
    least = setting("specificity_rules")["min_share"]
    rows = np.array([matrix.row(name) for name in names], dtype=np.int64)
    kept: list[str] = []
    for mask, members in family_groups(matrix, rows, chosen):
        here = np.flatnonzero(mask)
        if here.size and members.size:
            known, below, equal = counts_among(matrix, position, rows[here], members)
            passed = np.maximum(below, known - below - equal)
            kept += [names[index] for index in here[passed >= least * known - 1e-9]]
    return sorted(kept)


def _trait(matrix: CommuneMatrix, position: int, name: str, row: int, chosen: ComparisonSet) -> Specificity | None:
    rules = setting("specificity_rules")
    family = family_of(name)
    others = _comparable(matrix, row, position, chosen.members_for(family))
    value = float(matrix.values[row, position])
    count = int(others.size)
    percent = chosen.comparator.percentiles and count + 1 >= parameter("ranking_min_set")
    if count < rules["min_small_set"] or (chosen.comparator.percentiles and not percent):
        return None
    below, equal = int(np.count_nonzero(others < value)), int(np.count_nonzero(others == value))
    above = count - below - equal
    higher = below > above
    share = max(below, above) / count
    median, spread, effect = robust_effect(value, others, rules["max_effect"])
    if share < rules["min_share"] or abs(effect) < rules["min_effect"] or (effect > 0) != higher:
        return None
    declared = declaration_of(name)
    period, demo = matrix.period_demo(row, position)
    subject = subject_of(name, declared.label)
    text = _value_words(subject, declared, value)
    sentence = compared_sentence(
        subject, text, higher=higher, passed=max(below, above), others=count, among=chosen.among, percent=percent
    )
    return Specificity(
        indicator=name,
        family=family,
        label=declared.label,
        value=value,
        value_text=value_text(name, value, "ok"),
        period=period,
        demo=demo,
        median=median,
        median_text=value_text(name, median, "ok"),
        spread=spread,
        effect=effect,
        higher=higher,
        n_set=count + 1,
        n_below=below,
        n_equal=equal,
        share=share,
        percentile_strict=100 * below / count if percent else None,
        percentile_mid=100 * (below + 0.5 * (equal + 1)) / (count + 1) if percent else None,
        sentence=sentence.removesuffix(".") + (_DEMO if demo else "") + ".",
        caution=declared.series_break or "" if declared.kind == "change" else "",
    )


def _comparable(matrix: CommuneMatrix, row: int, position: int, members: Ints) -> Floats:
    """Return the values of the members of the same period and the same origin (real or generated) as the town's."""
    same = members[matrix.lots[row, members] == matrix.lots[row, position]]
    values: Floats = matrix.values[row, same]
    return values


def robust_effect(value: float, others: Floats, cap: float) -> tuple[float, float, float]:
    """Return the median and the spread of the others, and the effect (ANCHORS D13), between −``cap`` and ``cap``.

    When more than half of the others are equal the interquartile range replaces the MAD. When it is null too (half
    of the towns have none of something), the effect is the normal quantile of the mid-rank, on the same scale.
    """
    known = np.sort(others)
    median = _middle(known)
    spread = MAD_SCALE * _middle(np.sort(np.abs(known - median)))
    if spread == 0:
        low, high = np.quantile(known, [0.25, 0.75])
        spread = float(high - low) / IQR_SCALE
    if spread > 0:
        return median, spread, float(np.clip((value - median) / spread, -cap, cap))
    below, equal = np.count_nonzero(others < value), np.count_nonzero(others == value)
    place = (float(below) + 0.5 * (float(equal) + 1)) / (others.size + 1)
    return median, 0.0, float(np.clip(NormalDist().inv_cdf(place), -cap, cap))


def _middle(values: Floats) -> float:
    """Return the median of sorted values: the general function takes ten times as long for thirty numbers."""
    half = values.size // 2
    return float(values[half]) if values.size % 2 else (float(values[half - 1]) + float(values[half])) / 2


def _value_words(subject: Subject, declared: Declaration, value: float) -> str:
    """Return the value in brackets: without its unit when the subject already says what is counted."""
    return value_text(declared.id, value, "ok", unit=not subject.counts)


def compared_sentence(
    subject: Subject, text: str, *, higher: bool, passed: int, others: int, among: str, percent: bool
) -> str:
    """Return « La part des 65 ans ou plus (27,1 %) est plus élevée que dans 9 villes semblables sur 10. ».

    Parameters
    ----------
    passed, others
        How many of the others the town passes, on its side.
    among
        Words for the others: « villes semblables ».
    percent
        Whether a proportion may be given; otherwise the two numbers are.

    Notes
    -----
    Tenths are rounded down, « plus de » telling the rest, so that nothing is overstated.
    """
    adjective = subject.agree("élevé" if higher else "faible")
    begin = f"{subject.capital} ({text}) {subject.be} plus {adjective} que dans "
    if passed == others:
        return f"{begin}chacune des {format_number(others)} autres {among}."
    if not percent:
        return f"{begin}{format_number(passed)} des {format_number(others)} autres {among}."
    tenths = 10 * passed // others
    over = 10 * passed - tenths * others > 0.25 * others
    return f"{begin}{'plus de ' if over else ''}{tenths}{NBSP}{among} sur{NBSP}10."


def _blocked(matrix: CommuneMatrix, row: int, position: int, declared: Declaration) -> str:
    """Return why an evolution may not be told, or nothing."""
    if declared.kind != "change":
        return ""
    if declared.series_break and matrix.status(row, position) == "not_applicable":
        return declared.series_break
    years = _YEARS.search(matrix.period_demo(row, position)[0])
    for source, name in setting("specificity_rules")["series_breaks"].items():
        if source not in declared.sources or years is None:
            continue
        first = int(parameter(name))
        if int(years.group(1)) < first <= int(years.group(2)):
            return declared.series_break or f"La série change en {first} : l'évolution n'a pas de sens."
    return ""
