"""Which communes a site is about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import polars as pl

from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.portrait.observatory import Observatory


def chosen_codes(
    observatory: Observatory, *, pvd: bool = False, departements: Sequence[str] = (), codes: Sequence[str] = ()
) -> list[str]:
    """Return the INSEE codes of a site, sorted; every commune of the country when nothing is asked for.

    Parameters
    ----------
    pvd
        The towns of the programme; with departments, those of these departments.
    departements
        Codes of departments.
    codes
        Codes of communes, moved to the reference geography; they are added to the rest.

    Raises
    ------
    UnknownTerritoryError
        When a department or a commune is unknown.
    ParameterError
        When no commune is left, or when the snapshot has no list of towns of the programme.
    """
    known = set(observatory.departements["code"])
    wanted = [item.strip().upper() for item in departements]
    if strangers := [item for item in wanted if item not in known]:
        raise UnknownTerritoryError(
            f"Le département « {strangers[0][:20]} » n'existe pas.", where="--departement",
            next_step="donnez un code de département : 12, 2A, 974…",
        )  # fmt: skip
    if pvd and not observatory.pvd:
        raise ParameterError(
            "La liste des Petites villes de demain n'a pas été lue.", where="--pvd",
            next_step="construisez l'instantané avec cette source, ou choisissez un département.",
        )  # fmt: skip
    named = {observatory.commune(code)["code"] for code in codes}
    table = observatory.communes
    if pvd:
        table = table.filter(pl.col("code").is_in(sorted(observatory.pvd)))
    if wanted:
        table = table.filter(pl.col("departement").is_in(wanted))
    every = set(table["code"]) if pvd or wanted or not codes else set()
    if not (found := sorted(every | named)):
        raise ParameterError(
            "Aucune commune ne répond à ce choix.", where="--pvd --departement --codes",
            next_step="retirez un des filtres.",
        )  # fmt: skip
    return found


def known_rows(observatory: Observatory, codes: Collection[str]) -> list[dict[str, Any]]:
    """Return the rows of communes of the reference geography, in the order of their codes."""
    # Without the index of names: no code is to be moved here.
    return list(observatory.communes.filter(pl.col("code").is_in(list(codes))).sort("code").iter_rows(named=True))
