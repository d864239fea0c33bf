"""The place of a value in a set of communes, in French words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bourg.text import NBSP, format_number

_whole = lru_cache(maxsize=4096)(format_number)
_ONE = {"communes choisies": "commune choisie", "villes semblables": "ville semblable"}


@dataclass(frozen=True)
class SetWords:
    """How a set of communes is named.

    Attributes
    ----------
    label
        The comparator: « Département ».
    set_label
        The set: « Aveyron », « de 2 000 à 4 999 habitants ».
    among
        Its members, to follow a number: « communes du département ».
    inside
        Whether the commune is one of them: « les autres communes » or « les communes ».
    """

    label: str
    set_label: str
    among: str
    inside: bool = True


@dataclass(slots=True)
class Comparison:
    """The place of a value in a set of communes.

    A page has a thousand of them: they are not frozen, which would take three times as long to make, and their sentence
    is only written for those that are shown.

    Attributes
    ----------
    n_set, n_below, n_equal
        Communes with a value (this one included), those below it, the others equal to it.
    percentile_strict, percentile_mid
        ``None`` for the sets that give ranks only (an EPCI, a hand-picked list).
    rank
        1 for the highest value.
    among, inside
        Words for the members of the set, and whether the commune is one of them (:class:`SetWords`).
    """

    comparator: str
    label: str
    set_id: str
    set_label: str
    n_set: int
    n_below: int
    n_equal: int
    percentile_strict: float | None
    percentile_mid: float | None
    rank: int
    demo: bool
    among: str
    inside: bool = True

    @property
    def sentence(self) -> str:
        """The place in French words."""
        told = rank_sentence(
            self.n_set, self.n_below, self.n_equal, self.among,
            inside=self.inside, percent=self.percentile_strict is not None,
        )  # fmt: skip
        return f"{told} (rang calculé sur des valeurs de démonstration)" if self.demo else told

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        names = ("comparator", "label", "set_id", "set_label", "n_set", "percentile_strict", "percentile_mid", "rank",
                 "demo", "sentence")  # fmt: skip
        return {name: getattr(self, name) for name in names}


def comparison(rank: Mapping[str, Any], words: SetWords) -> Comparison | None:
    """Return the comparison told by one row of ranks.

    Parameters
    ----------
    rank
        ``comparator, set_id, n_set, n_below, n_equal, percentile_strict, percentile_mid, rank, demo``, as
        :func:`bourg.compare.comparators.town_ranks` gives them; ``None`` is returned where no rank may be published.
    """
    if rank["rank"] is None:
        return None
    return Comparison(
        rank["comparator"], words.label, rank["set_id"], words.set_label, rank["n_set"], rank["n_below"],
        rank["n_equal"], rank["percentile_strict"], rank["percentile_mid"], rank["rank"], rank["demo"], words.among,
        words.inside,
    )  # fmt: skip


def rank_sentence(
    n_set: int, n_below: int, n_equal: int, among: str, *, inside: bool = True, percent: bool = True
) -> str:
    """Return « plus élevé que dans 72 % des 1 234 autres communes de 2 000 à 4 999 habitants », or what is truer.

    Extremes and ties are said as such; a share that rounds to 0 or 100 % without being so is told with its bound.

    Parameters
    ----------
    n_set, n_below, n_equal
        Communes with a value (this one included), those below it, the others equal to it.
    among
        Words for the members of the set, in the plural.
    inside
        Whether the commune belongs to the set.
    percent
        Whether a share may be told; otherwise the two numbers are.
    """
    others = n_set - 1
    if others == 1:
        one = _ONE.get(among, among.replace("communes", "commune", 1))
        place = f"l'autre {one}" if inside else f"la {one}"
        words = "même valeur que dans" if n_equal else f"plus {'élevé' if n_below else 'bas'} que dans"
        return f"{words} {place}"
    rest = f"{_whole(others)}{NBSP}autres {among}" if inside else f"{_whole(others)}{NBSP}{among}"
    part = _percent if percent else _number_of
    if n_equal == others:
        return f"même valeur que dans les {rest}"
    if n_equal == 0 and n_below in (0, others):
        side = ("la plus élevée", "plus élevé") if n_below else ("la plus basse", "plus bas")
        every = f"valeur {side[0]} des {_whole(n_set)}{NBSP}{among}"
        return every if inside else f"{side[1]} que dans chacune des {rest}"
    if n_below == 0 or n_below + n_equal == others:
        side = ("la plus élevée", "plus élevé") if n_below else ("la plus basse", "plus bas")
        return f"valeur {side[0]}, comme dans {part(n_equal, others)} des {rest}"
    return f"plus élevé que dans {part(n_below, others)} des {rest}"


def _number_of(part: int, whole: int) -> str:
    del whole
    return _whole(part)


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole
    rounded = round(share)
    if rounded == 0:
        return f"moins de 1{NBSP}%"
    if rounded == 100 and part < whole:
        return f"plus de 99{NBSP}%"
    return f"{_whole(rounded)}{NBSP}%"
