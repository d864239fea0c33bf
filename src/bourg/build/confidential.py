"""Statistical secrecy of a snapshot: declared rules applied to the values, and the audit before publication."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from bourg.errors import DeclarationError
from bourg.indicators.registry import load_indicators
from bourg.indicators.secrecy import (
    SecrecyRule,
    apply_secrecy,
    primary,
    protect,
    secrecy_rules,
    territory_links,
)
from bourg.indicators.secrecy_audit import recoverable
from bourg.indicators.units import Units

# Kinds that add up over territories, at least once multiplied by a public denominator.
_ADDITIVE = frozenset({"count", "share", "ratio"})


@dataclass(frozen=True)
class Guard:
    """The rule of an indicator; ``base`` is the count it protects, the indicator itself or what it is computed from."""

    rule: SecrecyRule
    base: str


def guards() -> dict[str, Guard]:
    """Return the guard of every indicator that a rule protects.

    Raises
    ------
    DeclarationError
        When an indicator names an unknown rule or count, or one that is not a count under the same rule.
    """
    known, rules = load_indicators(), secrecy_rules()
    found: dict[str, Guard] = {}
    for name, item in known.items():
        declared = item.declaration
        if declared.secrecy_rule is None:
            continue
        if declared.secrecy_rule not in rules:
            raise DeclarationError(f"La règle de secret « {declared.secrecy_rule} » n'existe pas.", where=name)
        base = declared.protected_count or name
        counted = known.get(base)
        if counted is None or counted.declaration.kind != "count":
            raise DeclarationError(
                f"La règle de secret « {declared.secrecy_rule} » protège des dénombrements.", where=f"{name} : {base}"
            )
        if counted.declaration.secrecy_rule != declared.secrecy_rule:
            raise DeclarationError("Un chiffre et le dénombrement dont il vient n'ont pas la même règle.", where=name)
        found[name] = Guard(rules[declared.secrecy_rule], base)
    return found


def protected(values: pl.DataFrame, counted: pl.DataFrame, guard: Guard, units: Units) -> pl.DataFrame:
    """Return the values of an indicator, ``secret`` where its guard says so; what files made secret stays so.

    Parameters
    ----------
    values
        Values of the indicator.
    counted
        Values of the count of the guard: the same table, or, for what is computed from it, the protected one.

    Raises
    ------
    SecrecyError
        When a cell cannot be protected, or when a published total is not the sum of its cells.
    """
    if values["indicator"].first() != guard.base:
        return apply_secrecy(values, counted.select("level", "code", "status"))
    cells = counted.select("level", "code", "value")
    if not cells.select(primary(guard.rule, frozenset(cells.columns)).any()).item():
        return values
    links = territory_links(units, cells.filter(pl.col("value").is_not_null()))
    return apply_secrecy(values, protect(cells, links, guard.rule))


def given_away(values: pl.DataFrame, units: Units) -> list[str]:
    """Return, in French, the secret values of an indicator that its published totals give exactly."""
    known = load_indicators()
    found = []
    for (name,), rows in values.filter((pl.col("status") == "secret").any().over("indicator")).group_by(
        "indicator", maintain_order=True
    ):
        if str(name) not in known or known[str(name)].declaration.kind not in _ADDITIVE or rows["level"].n_unique() < 2:
            continue
        links = territory_links(units, rows.filter(pl.col("status") != "missing"))
        if cells := recoverable(rows.select("level", "code", "status"), links):
            example = " ".join(cells[0])
            found.append(f"{name} : valeur secrète déduite des totaux ({len(cells)} cas, par exemple {example})")
    return found
