"""Every indicator has a YAML file of examples that a statistician can read, and gives what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from bourg.geography.codes import departement_of
from bourg.indicators.engine import TableInput, compute
from bourg.indicators.registry import get_indicator, load_indicators
from bourg.indicators.tables import TABLES

FOLDER = Path(__file__).parent / "examples"
FILES = sorted(FOLDER.glob("*.yaml"))
CASE_KEYS = {"phrase", "communes", "tables", "attendu"}
TABLE_KEYS = {
    "colonnes",
    "lignes",
    "couverture",
    "couverture_par_annee",
    "demonstration",
    "millesime",
    "indivises",
}
EXPECTED_KEYS = {"niveau", "code", "valeur", "statut", "n", "periode", "sources"}


def _cases() -> list[Any]:
    found = []
    for path in FILES:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for rank, case in enumerate(content["cas"], start=1):
            found.append(pytest.param(content["indicateur"], case, id=f"{path.stem}-{rank}"))
    return found


def _table(name: str, described: dict[str, Any]) -> TableInput:
    assert set(described) <= TABLE_KEYS, f"clé inconnue : {set(described) - TABLE_KEYS}"
    columns = TABLES[name].columns
    given = pl.DataFrame(described["lignes"], schema=described["colonnes"], orient="row", strict=False)
    missing = [pl.lit(None).alias(column) for column in columns if column not in given.columns]
    frame = given.with_columns(*missing).select(pl.col(column).cast(dtype) for column, dtype in columns.items())
    coverage = described.get("couverture")
    years = described.get("couverture_par_annee", {})
    return TableInput(
        frame=frame.lazy(),
        source_ids=(f"source_{name}",),
        origin_demo=described.get("demonstration", False),
        coverage=None if coverage is None else frozenset(coverage),
        vintage=str(described.get("millesime", "2024")),
        year_coverage={year: frozenset(codes) for year, codes in years.items()},
        undivided=tuple(tuple(group) for group in described.get("indivises", [])),
    )


def _communes(described: list[dict[str, Any]]) -> TableInput:
    rows = [
        {
            "code": item["code"],
            "name": item.get("nom", item["code"]),
            "departement": departement_of(item["code"]),
            "region": item.get("region", "76"),
            "epci": item.get("epci", "200000001"),
            "area_km2": float(item.get("superficie", 10)),
        }
        for item in described
    ]
    return TableInput(pl.DataFrame(rows).lazy(), ("source_communes",), vintage="2025")


@pytest.mark.parametrize(("indicator", "case"), _cases())
def test_example(indicator: str, case: dict[str, Any]) -> None:
    assert set(case) == CASE_KEYS
    tables = {name: _table(name, described) for name, described in case["tables"].items()}
    tables["communes"] = _communes(case["communes"])
    values = compute(tables, indicators=[indicator])
    declared = get_indicator(indicator).declaration
    for expected in case["attendu"]:
        assert set(expected) <= EXPECTED_KEYS, f"clé inconnue : {set(expected) - EXPECTED_KEYS}"
        level = expected.get("niveau", "commune")
        assert level in declared.levels
        row = values.row(by_predicate=(pl.col("level") == level) & (pl.col("code") == expected["code"]), named=True)
        status = expected.get("statut", "ok")
        assert row["status"] == status, f"{case['phrase']} -> {row}"
        if "valeur" in expected:
            assert row["value"] == pytest.approx(expected["valeur"], abs=1e-4), f"{case['phrase']} -> {row}"
        else:
            assert row["value"] is None, f"{case['phrase']} -> {row}"
        for key, column in (("n", "n"), ("periode", "period"), ("sources", "source_ids")):
            if key in expected:
                assert row[column] == expected[key], f"{case['phrase']} -> {row}"


def test_every_indicator_has_examples_and_nothing_else_has() -> None:
    assert sorted(path.stem for path in FILES) == sorted(load_indicators())
    for path in FILES:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert content["indicateur"] == path.stem
        assert content["cas"]


def test_delicate_statuses_are_all_in_examples() -> None:
    """Missing, secret, not applicable, demo and true zero: each is shown by several examples."""
    seen: dict[str, int] = {}
    for path in FILES:
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["cas"]:
            for expected in case["attendu"]:
                for status in (expected.get("statut", "ok"), "zero" if expected.get("valeur") == 0 else ""):
                    seen[status] = seen.get(status, 0) + 1
    assert all(seen.get(status, 0) >= 5 for status in ("ok", "missing", "secret", "not_applicable", "demo", "zero")), (
        seen
    )
