"""Composition by type of shop: the town, its centre and the towns it is compared with; what is lacking or rare here.

Counts come from one register at a time: Sirene where the snapshot covers the town, else the BPE. A town whose value is
missing or secret in the table of values is never counted, and only values of one period and one origin (real or
generated) are put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.commerce.typology import type_of, typology
from bourg.compare.comparators import ComparisonSet
from bourg.compare.families import family_of
from bourg.indicators.engine import USABLE
from bourg.indicators.parameters import parameter
from bourg.indicators.values import ValueSheet
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.commerce_words import named, none_of
from bourg.text import NBSP, count_of, format_number

Register = Literal["sirene", "bpe"]
# The value that says whether a register describes a town, and for which period.
COUNTED: dict[Register, str] = {"sirene": "commerce.sirene_count", "bpe": "commerce.count"}
REGISTERS: dict[Register, str] = {
    "sirene": "Sirene (établissements inscrits)", "bpe": "Base permanente des équipements (BPE)",
}  # fmt: skip
# « Le plus souvent » is more than half; « rarement » at most one in five.
OFTEN, SELDOM = 0.5, 0.2
_TABLES: dict[Register, str] = {"sirene": "shops", "bpe": "equipment"}
Counts = NDArray[np.int32]


@dataclass(frozen=True)
class MixRow:
    """One type or one group of shops.

    Attributes
    ----------
    id, label, group
        Type or group of the typology; ``group`` is that of the type, or the group itself.
    n, share
        Shops of the town, and percent of all of them (``None`` without any shop).
    centre, centre_share
        The same inside the centre; ``None`` when it is not known.
    set_mean, set_share
        Mean number, and mean share in percent, among the towns compared; each town weighs the same.
    present
        Towns compared that have at least one.
    """

    id: str
    label: str
    group: str
    n: int
    share: float | None
    centre: int | None = None
    centre_share: float | None = None
    set_mean: float | None = None
    set_share: float | None = None
    present: int | None = None


@dataclass(frozen=True)
class Mix:
    """Composition of the shops of a town.

    Attributes
    ----------
    register, period, demo
        Where the counts come from.
    total
        Shops of the town.
    centre_total
        Shops placed inside the centre; ``None`` when it is not known.
    groups, types
        In the order of the typology; types that nobody has are left out.
    among, compared
        French words for the towns compared (« villes semblables »), and how many have a count.
    message
        Why there is no comparison, empty when there is one.
    lacking, rare
        Sentences: what towns compared usually have and the town has not, and the other way round.
    lacking_names
        The same types with their article, in the same order: « une poissonnerie ».
    """

    register: Register
    period: str
    demo: bool
    total: int
    centre_total: int | None
    groups: tuple[MixRow, ...]
    types: tuple[MixRow, ...]
    among: str
    compared: int
    message: str
    lacking: tuple[str, ...]
    rare: tuple[str, ...]
    lacking_names: tuple[str, ...]


def kinds_of(register: Register) -> tuple[str, ...]:
    """Return the types that a register tells apart, in the order of the typology."""
    types = typology().types
    return tuple(kind for kind, item in types.items() if register == "sirene" or item.bpe)


def register_of(sheets: dict[str, ValueSheet], wanted: Register | None = None) -> Register | None:
    """Return the register that gives the counts: the one asked for when it has a value, else the first that has one."""
    usable = [name for name, indicator in COUNTED.items() if indicator in sheets and sheets[indicator].status in USABLE]
    return wanted if wanted in usable else next(iter(usable), None)


@lru_cache(maxsize=4)
def _counts(path: str, codes: tuple[str, ...], register: Register, period: str) -> Counts:
    """Return the shops of every commune by type, shape ``(communes, types)``."""
    table = pl.scan_parquet(path)
    if register == "sirene":
        rows = table.filter("open").group_by("code", "type").agg(pl.len().alias("n"))
    else:
        typed = table.filter(pl.col("year") == int(period)).with_columns(type=type_of(pl.col("typequ"), "bpe"))
        rows = typed.filter(pl.col("type").is_not_null()).group_by("code", "type").agg(pl.col("n").sum())
    kinds = kinds_of(register)
    found = rows.collect().with_columns(
        row=pl.col("code").replace_strict(codes, range(len(codes)), default=None, return_dtype=pl.Int64),
        column=pl.col("type").replace_strict(kinds, range(len(kinds)), default=None, return_dtype=pl.Int64),
    )
    found = found.drop_nulls(["row", "column"])
    made = np.zeros((len(codes), len(kinds)), dtype=np.int32)
    made[found["row"].to_numpy(), found["column"].to_numpy()] = found["n"].to_numpy()
    made.setflags(write=False)
    return made


def counts_by_type(observatory: Observatory, register: Register, period: str) -> Counts:
    """Return the shops of every commune of the matrix by type of :func:`kinds_of`; communes outside have zeros too."""
    path = observatory.snapshot.path(f"tables/{_TABLES[register]}.parquet")
    return _counts(str(path), observatory.matrix.codes, register, period)


def members_known(observatory: Observatory, code: str, indicator: str, chosen: ComparisonSet) -> NDArray[np.int64]:
    """Return the positions of the towns compared that have a value of the same period and origin as the town."""
    matrix = observatory.matrix
    row, position = matrix.row(indicator), matrix.position(code)
    members: NDArray[np.int64] = chosen.members_for(family_of(indicator))
    same = matrix.lots[row, members] == matrix.lots[row, position]
    known: NDArray[np.bool_] = same & ~np.isnan(matrix.values[row, members])
    return np.compress(known, members)


def make_mix(
    observatory: Observatory,
    sheet: ValueSheet,
    register: Register,
    chosen: ComparisonSet,
    centre: pl.DataFrame | None = None,
) -> Mix:
    """Return the composition of the shops of a town.

    Parameters
    ----------
    sheet
        The count of the town in the register, of status ``ok``, ``demo`` or ``estimated``.
    chosen
        The towns compared.
    centre
        ``type`` of the open shops inside the centre, one row each; ``None`` when the centre is not known.
    """
    kinds, code = kinds_of(register), sheet.code
    counts = counts_by_type(observatory, register, sheet.period)
    here = counts[observatory.matrix.position(code)]
    members = members_known(observatory, code, COUNTED[register], chosen)
    least = int(parameter("ranking_min_set"))
    enough = members.size >= least
    others = counts[members] if enough else None
    inside = None
    if centre is not None:
        tally = dict(centre.group_by("type").len().iter_rows())
        inside = np.array([tally.get(kind, 0) for kind in kinds], dtype=np.int32)
    types = _rows(
        [(kind, typology().label(kind), typology().types[kind].group) for kind in kinds], here, inside, others
    )
    names = typology().groups
    own = {group: [i for i, kind in enumerate(kinds) if typology().types[kind].group == group] for group in names}
    own = {group: places for group, places in own.items() if places}

    def summed(table: Counts) -> Counts:
        return np.stack([table[..., places].sum(axis=-1) for places in own.values()], axis=-1)

    groups = _rows(
        [(group, names[group], group) for group in own],
        summed(here), None if inside is None else summed(inside), None if others is None else summed(others),
    )  # fmt: skip
    lacking, rare, names_lacking = _differences(types, chosen.among, int(members.size)) if enough else ((), (), ())
    return Mix(
        register=register,
        period=sheet.period,
        demo=sheet.demo,
        total=int(here.sum()),
        centre_total=None if inside is None else int(inside.sum()),
        groups=groups,
        types=tuple(row for row in types if row.n or row.present or (row.present is None and row.centre)),
        among=chosen.among,
        compared=int(members.size),
        message="" if enough else _few(chosen, int(members.size), least),
        lacking=lacking,
        rare=rare,
        lacking_names=names_lacking,
    )


def _few(chosen: ComparisonSet, known: int, least: int) -> str:
    if chosen.status in ("absent", "empty"):
        return chosen.message
    return (
        f"Pas de comparaison : {count_of(known, 'commune')} seulement de l'ensemble « {chosen.comparator.label} » "
        f"{'a' if known < 2 else 'ont'} un compte de la même source, il en faut {least}."
    )


def _rows(
    labels: Sequence[tuple[str, str, str]], here: Counts, inside: Counts | None, others: Counts | None
) -> tuple[MixRow, ...]:
    total = int(here.sum())
    central = None if inside is None else int(inside.sum())
    means = shares = present = None
    if others is not None:
        sizes = others.sum(axis=1)
        means, present = others.mean(axis=0), (others > 0).sum(axis=0)
        # A town without shop has no composition: it counts in the means of numbers, not in those of shares.
        some = sizes > 0
        shares = (100 * others[some] / sizes[some][:, None]).mean(axis=0) if some.any() else None
    return tuple(
        MixRow(
            id=name,
            label=label,
            group=group,
            n=int(here[i]),
            share=100 * int(here[i]) / total if total else None,
            centre=None if inside is None else int(inside[i]),
            centre_share=100 * int(inside[i]) / central if inside is not None and central else None,
            set_mean=None if means is None else float(means[i]),
            set_share=None if shares is None else float(shares[i]),
            present=None if present is None else int(present[i]),
        )
        for i, (name, label, group) in enumerate(labels)
    )


def _differences(
    rows: Sequence[MixRow], among: str, known: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return what is absent here and frequent there, what is here and rare there, and the names of the absent.

    The clearest come first.
    """

    def frequency(row: MixRow) -> float:
        return (row.present or 0) / known

    of_set = f"sur{NBSP}{format_number(known)}"
    absent = [
        row
        for row in sorted(rows, key=lambda item: (-frequency(item), item.id))
        if row.n == 0 and frequency(row) > OFTEN and named(row.id)
    ]
    lacking = [
        f"Les {among} ont le plus souvent {named(row.id)} ({format_number(row.present or 0)} {of_set}) ; "
        f"ici, {none_of(row.id)}."
        for row in absent
    ]
    rare = []
    for row in sorted(rows, key=lambda item: (frequency(item), item.id)):
        if row.n == 0 or frequency(row) > SELDOM or not named(row.id):
            continue
        there = (
            f"rares sont les {among} qui en ont ({format_number(row.present)} {of_set})"
            if row.present
            else f"aucune des {format_number(known)} {among} n'en a"
        )
        told = f"Ici, {named(row.id)}" if row.n == 1 else f"Ici, {count_of(row.n, 'commerce')} « {row.label} »"
        rare.append(f"{told} ; {there}.")
    return tuple(lacking), tuple(rare), tuple(named(row.id) or "" for row in absent)
