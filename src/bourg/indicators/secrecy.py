"""Statistical secrecy: which cells of a table of counts may not be published, so that no total gives them away.

Primary suppression follows a declared rule. Secondary suppression then looks at the table as a network: every total
is a node, every cell an arc between the totals it belongs to. A suppressed cell is protected when a flow can go
through it and come back by other suppressed cells: its value can then rise by the wanted amount, and no reader can
tell. The cheapest way back is suppressed too (Cox, network models for complementary cell suppression, JASA 1995).
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bourg.errors import BourgError, DeclarationError, ParameterError
from bourg.geography.levels import FRANCE_CODE
from bourg.indicators.parameters import parameter
from bourg.indicators.units import FRANCE_METROPOLITAN, FRANCE_WITHOUT_MAYOTTE, Units

CellKey = tuple[str, str]
# Node of what belongs to one total only.
GROUND = -1
# Parents of a level, one of which starts a new side of the network: a cell is in two totals at most.
_MOST_PARENTS = 2
_NOT_TWO = "Les totaux d'une table à protéger ne forment pas deux hiérarchies."


class SecrecyError(BourgError, ValueError):
    """A table that cannot be protected, or that is not a table of counts with totals."""

    exit_code = 70
    http_status = 500


class SecrecyRule(BaseModel):
    """A declared rule; ``protection`` is how far above its value the range of a secret cell must go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: Literal["floor", "firms"]
    minimum: int = Field(ge=2)
    label: str
    dominance: float | None = Field(default=None, gt=0, le=1)
    protection: float | None = Field(default=None, gt=0)


@cache
def secrecy_rules(date: dt.date | None = None) -> dict[str, SecrecyRule]:
    """Return the rules in force, by id.

    Raises
    ------
    DeclarationError
        When one is badly declared.
    """
    try:
        rules = [SecrecyRule.model_validate(item) for item in parameter("secrecy_rules", date)]
    except ValidationError as error:
        raise DeclarationError("Une règle de secret est mal déclarée.", why=str(error)) from error
    return {rule.id: rule for rule in rules}


def secrecy_rule(name: str) -> SecrecyRule:
    """Return a rule by name.

    Raises
    ------
    ParameterError
        When there is none of that name.
    """
    rules = secrecy_rules()
    if name not in rules:
        raise ParameterError(
            f"La règle de secret « {name[:40]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(rules)}."
        )
    return rules[name]


def primary(rule: SecrecyRule, columns: frozenset[str] = frozenset({"n", "largest"})) -> pl.Expr:
    """Return whether a cell is secret by itself.

    Parameters
    ----------
    columns
        Columns of the table, among ``value`` (published), ``n`` (units counted; ``value`` when absent) and
        ``largest`` (value of the largest unit, for the dominance of ``firms``).
    """
    units = pl.col("n") if "n" in columns else pl.col("value")
    few = (units > 0) & (units < rule.minimum)
    if rule.kind == "firms" and rule.dominance is not None and "largest" in columns:
        few = few | ((pl.col("value") > 0) & (pl.col("largest") >= rule.dominance * pl.col("value")))
    return few.fill_null(value=False)


def territory_links(units: Units, published: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return which totals a territory adds up to: ``level, code, parent_level, parent_code``.

    Communes add up to their EPCI and to their department, departments to their region, regions to the smallest field
    of France that holds them, and each field to the next one.

    Parameters
    ----------
    published
        ``level, code`` of the totals that a reader has or that are hidden from him; a total that nobody computes is no
        equation, and what it holds adds up to the next one. All by default.
    """
    communes = units.communes
    fields = units.mapping("france").join(communes.select("code", "region"), on="code").drop_nulls("region")
    narrow = fields.with_columns(place=pl.col("unit").replace_strict(_FIELDS, return_dtype=pl.Int64))
    regions = narrow.group_by("region").agg(parent_code=pl.col("unit").sort_by("place").first())
    pairs = [("commune", "code", "epci"), ("commune", "code", "departement"), ("departement", "departement", "region")]
    chain = [
        communes.select(level=pl.lit(level), code=column, parent_level=pl.lit(parent), parent_code=parent)
        for level, column, parent in pairs
    ]
    chain.append(
        regions.select(level=pl.lit("region"), code="region", parent_level=pl.lit("france"), parent_code="parent_code")
    )
    larger = [("france", small, "france", large) for small, large in pairwise(_FIELDS)]
    chain.append(pl.DataFrame(larger, schema=chain[0].columns, orient="row"))
    links = pl.concat([part.drop_nulls().unique() for part in chain])
    if published is not None:
        known = published.select(parent_level="level", parent_code="code", known=pl.lit(value=True))
        above = links.select(
            parent_level="level", parent_code="code", next_level="parent_level", next_code="parent_code"
        )
        for _ in range(links["parent_level"].n_unique() + len(_FIELDS)):
            links = links.join(known, on=["parent_level", "parent_code"], how="left")
            if links["known"].null_count() == 0:
                break
            moved = links.filter(pl.col("known").is_null()).join(above, on=["parent_level", "parent_code"])
            moved = moved.select("level", "code", parent_level="next_level", parent_code="next_code")
            links = pl.concat([links.filter("known").drop("known"), moved]).unique()
        links = links.drop("known", strict=False)
    return links.sort("level", "code", "parent_level", "parent_code")


# Fields of France, the smallest first: each one holds the one before.
_FIELDS = {FRANCE_METROPOLITAN: 0, FRANCE_WITHOUT_MAYOTTE: 1, FRANCE_CODE: 2}


@dataclass
class _Network:
    """Totals as nodes, cells as arcs: in an equation, a child counts +1 and the total −1."""

    keys: list[CellKey]
    values: list[float]
    ends: list[tuple[int, int]]
    suppressed: list[bool]
    usable: list[bool]
    out: dict[int, list[tuple[int, int, bool]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for arc, (tail, head) in enumerate(self.ends):
            if tail != head:
                self.out[tail].append((arc, head, True))
                self.out[head].append((arc, tail, False))


def protect(
    cells: pl.DataFrame, links: pl.DataFrame, rule: SecrecyRule, *, already_public: Collection[str] = ()
) -> pl.DataFrame:
    """Suppress the cells that the rule hides, and those that would give them away.

    Parameters
    ----------
    cells
        ``level, code, value`` (≥ 0, null when unknown), and ``n`` and ``largest`` when the rule needs them. Totals
        are cells too.
    links
        ``level, code, parent_level, parent_code`` (:func:`territory_links`): a cell adds up to two totals at most,
        and a total of one side only has no total but on the same side.
    already_public
        Levels whose cells somebody else has published: they are never suppressed.

    Returns
    -------
    DataFrame
        ``cells`` with ``status`` (``ok``, ``secret``, ``missing``) and ``reason`` (``primary``, ``secondary``,
        null); ``value``, ``n`` and ``largest`` are null where the status is ``secret``. ``reason`` is for the build
        only: published, it would help to tell small cells from the others. Deterministic: ties go to the smallest code.

    Raises
    ------
    SecrecyError
        When a cell is repeated, negative, or belongs to more than two totals, when a published total is not the sum
        of its cells, or when a cell cannot be protected.
    """
    public = pl.col("level").is_in(list(already_public))
    table = cells.with_columns((primary(rule, frozenset(cells.columns)) & ~public).alias("_primary"))
    network = _build(table, links)
    network.usable = [
        usable and key[0] not in already_public for usable, key in zip(network.usable, network.keys, strict=True)
    ]
    amounts = _protections(table, rule)
    first = table["_primary"].to_list()
    for arc in sorted((arc for arc, secret in enumerate(first) if secret), key=lambda arc: network.keys[arc]):
        network.suppressed[arc] = True
    for arc in sorted((arc for arc, secret in enumerate(first) if secret), key=lambda arc: _order(network, arc)):
        for path_arc in _way_back(network, arc, amounts[arc]):
            network.suppressed[path_arc] = True
    secret = pl.Series("secret", network.suppressed)
    status = (
        pl.when("_secret").then(pl.lit("secret")).when(pl.col("value").is_null()).then(pl.lit("missing"))
    ).otherwise(pl.lit("ok"))
    reason = pl.when("_primary").then(pl.lit("primary")).when("_secret").then(pl.lit("secondary"))
    hidden = [name for name in ("value", "n", "largest") if name in cells.columns]
    return (
        table.with_columns(_secret=secret)
        .with_columns(status=status, reason=reason)
        .with_columns(pl.when(~pl.col("_secret")).then(name).alias(name) for name in hidden)
        .drop("_primary", "_secret")
    )


def _order(network: _Network, arc: int) -> tuple[float, CellKey]:
    # The largest need first: the way back of a large cell often serves the small ones.
    return -network.values[arc], network.keys[arc]


def _protections(table: pl.DataFrame, rule: SecrecyRule) -> list[float]:
    if rule.kind == "floor":
        return [float(rule.protection or rule.minimum)] * table.height
    share = rule.protection or 0.15
    counted = "n" not in table.columns
    # A count of firms can only move by whole firms; a turnover moves by a share of itself.
    return [
        float(rule.minimum) if counted else max(share * value, 1e-9) for value in table["value"].fill_null(0).to_list()
    ]


def _build(table: pl.DataFrame, links: pl.DataFrame) -> _Network:
    keys: list[CellKey] = list(table.select("level", "code").iter_rows())
    position = {key: index for index, key in enumerate(keys)}
    values = table["value"].cast(pl.Float64).to_list()
    if len(position) != len(keys) or any(value is not None and value < 0 for value in values):
        raise SecrecyError("Une table à protéger ne doit avoir ni case répétée, ni valeur négative.")
    parents: dict[int, list[int]] = defaultdict(list)
    children: dict[int, list[int]] = defaultdict(list)
    for level, code, parent_level, parent_code in links.iter_rows():
        child, parent = position.get((level, code)), position.get((parent_level, parent_code))
        # A total that is not published is not an equation for the reader.
        if child is not None and parent is not None and values[parent] is not None:
            parents[child].append(parent)
            children[parent].append(child)
    _check(keys, values, parents, children)
    sides = _sides(keys, parents, children)
    ends = []
    for cell in range(len(keys)):
        nodes = [(parent, 1) for parent in parents[cell]] + ([(cell, -1)] if cell in children else [])
        plus = [node for node, sign in nodes if sign * sides[node] > 0]
        minus = [node for node, sign in nodes if sign * sides[node] < 0]
        if len(plus) > 1 or len(minus) > 1:
            raise SecrecyError(_NOT_TWO, where=str(keys[cell]))
        ends.append((minus[0] if minus else GROUND, plus[0] if plus else GROUND))
    usable = [value is not None and value > 0 for value in values]
    return _Network(keys, [value or 0.0 for value in values], ends, [False] * len(keys), usable)


def _check(
    keys: list[CellKey], values: list[float | None], parents: dict[int, list[int]], children: dict[int, list[int]]
) -> None:
    if crowded := [keys[cell] for cell, found in parents.items() if len(set(found)) > _MOST_PARENTS]:
        raise SecrecyError("Une case appartient à plus de deux totaux.", where=str(crowded[0]))
    for parent, cells in children.items():
        total = values[parent]
        known = [value for cell in cells if (value := values[cell]) is not None]
        if total is not None and len(known) == len(cells) and abs(sum(known) - total) > 1e-6 * max(1.0, abs(total)):
            raise SecrecyError("Un total publié n'est pas la somme de ses cases.", where=str(keys[parent]))


def _sides(keys: list[CellKey], parents: dict[int, list[int]], children: dict[int, list[int]]) -> dict[int, int]:
    """Give each total a sign so that every cell leaves one total and enters another.

    Two totals of one cell take opposite signs; a total and the total above it take the same one.
    """
    linked = _linked(parents, children)
    sides: dict[int, int] = {}
    seen: set[int] = set()
    for start in sorted(children, key=lambda total: keys[total]):
        pending = [] if start in seen else [start]
        seen.add(start)
        sides.setdefault(start, 1)
        while pending:
            node = pending.pop()
            for other, sign in linked[node]:
                if sides.setdefault(other, sides[node] * sign) != sides[node] * sign:
                    raise SecrecyError(_NOT_TWO, where=str(keys[other]))
                if other not in seen:
                    seen.add(other)
                    pending.append(other)
    return sides


def _linked(parents: dict[int, list[int]], children: dict[int, list[int]]) -> dict[int, list[tuple[int, int]]]:
    """Return, for each total, the totals it shares a cell with (sign −1) and those above or below it (sign 1)."""
    linked: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for cell, found in parents.items():
        pairs = [(found[0], found[1], -1)] if len(found) == _MOST_PARENTS else []
        pairs += [(cell, parent, 1) for parent in found] if cell in children else []
        for one, two, sign in pairs:
            linked[one].append((two, sign))
            linked[two].append((one, sign))
    return linked


def _way_back(network: _Network, arc: int, amount: float) -> list[int]:
    """Return the arcs of the cheapest path from the head of an arc to its tail that can carry ``amount``.

    An arc followed backwards loses the amount: it must hold as much. Suppressed arcs cost almost nothing; published
    ones cost their value, and zeros are never suppressed.
    """
    tail, head = network.ends[arc]
    if tail == head:
        return []
    best: dict[int, float] = {head: 0.0}
    came: dict[int, tuple[int, int]] = {}
    queue: list[tuple[float, CellKey, int]] = [(0.0, ("", ""), head)]
    while queue:
        cost, _, node = heapq.heappop(queue)
        if node == tail:
            path = []
            while node != head:
                step, node = came[node]
                path.append(step)
            return path
        if cost > best[node]:
            continue
        for step, other, forward in network.out[node]:
            if step == arc or not network.usable[step] or (not forward and network.values[step] < amount):
                continue
            price = cost + (1e-6 if network.suppressed[step] else 1.0 + network.values[step])
            if price < best.get(other, float("inf")):
                best[other] = price
                came[other] = (step, node)
                heapq.heappush(queue, (price, network.keys[step], other))
    raise SecrecyError(
        "Une case secrète ne peut pas être protégée : tous les totaux qui la contiennent la donnent.",
        where=" ".join(network.keys[arc]),
        next_step="ne publiez pas ces totaux, ou regroupez la case avec une voisine.",
    )


def apply_secrecy(values: pl.DataFrame, protected: pl.DataFrame) -> pl.DataFrame:
    """Give the status ``secret`` to the values computed from suppressed cells: a rate gives its count away.

    Parameters
    ----------
    values
        Rows of :data:`bourg.indicators.engine.VALUES_SCHEMA`, of the indicators that come from the protected table.
    protected
        The table of :func:`protect`.
    """
    secret = protected.filter(pl.col("status") == "secret").select("level", "code", _secret=pl.lit(value=True))
    hidden = pl.col("_secret").fill_null(value=False)
    return (
        values.join(secret, on=["level", "code"], how="left", maintain_order="left")
        .with_columns(
            value=pl.when(~hidden).then("value"),
            n=pl.when(~hidden).then("n"),
            status=pl.when(hidden).then(pl.lit("secret")).otherwise("status"),
        )
        .drop("_secret")
    )
