"""The check before publication: which secret cells do the published totals give exactly."""

from __future__ import annotations

from collections import defaultdict

import polars as pl

from bourg.indicators.secrecy import GROUND, CellKey


def recoverable(protected: pl.DataFrame, links: pl.DataFrame) -> list[CellKey]:
    """Return the secret cells that the published totals give exactly: the check before publication.

    A cell is given by equalities when it is a bridge of the network of the secret cells: removing it would cut a
    total from another, so the sums on one side leave it alone.

    Parameters
    ----------
    protected
        ``level, code, status``, as :func:`bourg.indicators.secrecy.protect` returns it.
    """
    cells = protected.filter(pl.col("status") == "secret").select("level", "code").unique().sort("level", "code")
    known = protected.filter(pl.col("status") != "missing").select(parent_level="level", parent_code="code")
    equations = links.join(known, on=["parent_level", "parent_code"], how="semi")
    totals = equations.select(level="parent_level", code="parent_code").unique()
    # A cell is an arc between the totals it belongs to and, when it is a total itself, its own sum.
    nodes = pl.concat([
        cells.join(equations, on=["level", "code"]).select("level", "code", node=_name("parent_level", "parent_code")),
        cells.join(totals, on=["level", "code"], how="semi").select("level", "code", node=_name("level", "code")),
    ])  # fmt: skip
    numbers = {name: index for index, name in enumerate(nodes["node"].unique().sort())}
    arcs = nodes.group_by("level", "code").agg("node").sort("level", "code")
    neighbours: dict[int, list[tuple[int, int]]] = defaultdict(list)
    keys: list[CellKey] = []
    for cell, (level, code, ends) in enumerate(arcs.iter_rows()):
        keys.append((level, code))
        tail, head = numbers[ends[0]], numbers[ends[1]] if len(ends) > 1 else GROUND
        neighbours[tail].append((head, cell))
        neighbours[head].append((tail, cell))
    return sorted(keys[cell] for cell in _bridges(neighbours))


def _name(level: str, code: str) -> pl.Expr:
    return pl.concat_str(level, code, separator="|")


def _bridges(neighbours: dict[int, list[tuple[int, int]]]) -> list[int]:
    """Return the edges whose removal disconnects a graph that may have parallel edges (Tarjan, without recursion)."""
    entered: dict[int, int] = {}
    lowest: dict[int, int] = {}
    found: list[int] = []
    for root in sorted(neighbours):
        if root in entered:
            continue
        entered[root] = lowest[root] = len(entered)
        stack = [(root, -1, iter(neighbours[root]))]
        while stack:
            node, by, rest = stack[-1]
            step = next(rest, None)
            if step is None:
                stack.pop()
                if stack:
                    above = stack[-1][0]
                    lowest[above] = min(lowest[above], lowest[node])
                    if lowest[node] > entered[above]:
                        found.append(by)
                continue
            other, edge = step
            if edge == by:
                continue
            if other in entered:
                lowest[node] = min(lowest[node], entered[other])
            else:
                entered[other] = lowest[other] = len(entered)
                stack.append((other, edge, iter(neighbours[other])))
    return found
