"""What the operations read: one snapshot, as frames that are ready to filter."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import polars as pl

from bourg.geography.levels import FRANCE_CODE
from bourg.indicators.engine import USABLE
from bourg.indicators.registry import get_indicator, load_indicators
from bourg.indicators.units import FRANCE_LABELS, FRANCE_METROPOLITAN, FRANCE_WITHOUT_MAYOTTE
from bourg.indicators.values import value_text
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.sources.model import load_catalogue
from bourg.web.api.shapes import Shapes

if TYPE_CHECKING:
    from bourg.access.study import TownAccess

# Columns of every answer that holds values, in their order.
VALUE_FIELDS = (
    "indicator", "label", "theme", "unit", "level", "code", "name", "period", "value", "text", "status", "demo", "n",
    "source_ids",
)  # fmt: skip
_FRAMES_KEPT = 24
_TOWNS_KEPT = 8
_CATEGORIES = ("indicator", "level", "period", "status", "source_ids")


class ApiData:
    """The snapshot in service, as the operations see it.

    Parameters
    ----------
    observatory
        The opened snapshot.
    """

    def __init__(self, observatory: Observatory) -> None:
        self.observatory = observatory
        self.shapes = Shapes(observatory)
        self._frames: OrderedDict[str, pl.DataFrame] = OrderedDict()
        self._towns: OrderedDict[Hashable, TownAccess] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def settings(self) -> Settings:
        """Folders of the installation."""
        return self.observatory.settings

    @cached_property
    def snapshot(self) -> dict[str, Any]:
        """Id, date, geography of the snapshot, and whether it holds generated values."""
        manifest = self.observatory.snapshot.manifest
        return {
            "id": self.observatory.snapshot.id, "date": manifest["created"], "cog": manifest["cog"],
            "bourg": manifest["bourg"], "demo": self.observatory.snapshot.demo,
        }  # fmt: skip

    def sources(self, ids: Iterable[str]) -> list[dict[str, str]]:
        """Return title, producer, vintage, licence and page of some sources, in alphabetical order."""
        return [self._source_notes[name] for name in sorted(set(ids)) if name in self._source_notes]

    @cached_property
    def _source_notes(self) -> dict[str, dict[str, str]]:
        fields = ("id", "title", "producer", "vintage", "licence", "landing_page")
        notes = self.observatory.source_notes(",".join(load_catalogue()))
        return {note.id: {name: getattr(note, name) for name in fields} for note in notes}

    def table_sources(self, *names: str) -> tuple[str, ...]:
        """Return the sources of some tables; those that the snapshot does not have are left out."""
        tables = self.observatory.snapshot.manifest["tables"]
        return tuple(sorted({source for name in names if name in tables for source in tables[name]["sources"]}))

    # -- territories ------------------------------------------------------------------------------------------------

    @cached_property
    def communes(self) -> pl.DataFrame:
        """One row per commune, with the columns of the list of communes."""
        towns = self.observatory.pvd
        has_pvd = self.observatory.snapshot.has_table("pvd")
        pvd = pl.col("code").is_in(list(towns)) if has_pvd else pl.lit(None, dtype=pl.Boolean)
        return self.observatory.communes.select(
            "code", "name", "departement", "departement_name", "region", "region_name", "epci", "epci_name",
            "population", "population_year", "area_km2", "longitude", "latitude", "postal_codes", pvd=pvd,
        )  # fmt: skip

    @cached_property
    def names(self) -> pl.DataFrame:
        """Name of every territory: ``level, code, name``."""
        snapshot = self.observatory.snapshot
        larger = [
            snapshot.table(table).select(level=pl.lit(level), code="code", name="name").collect()
            for level, table in (("epci", "epci"), ("departement", "departements"), ("region", "regions"))
        ]
        france = pl.DataFrame({
            "level": ["france"] * len(FRANCE_LABELS), "code": list(FRANCE_LABELS), "name": list(FRANCE_LABELS.values())
        })  # fmt: skip
        communes = self.communes.select(pl.lit("commune").alias("level"), "code", "name")
        return pl.concat([communes, *larger, france])

    @cached_property
    def name_of(self) -> dict[tuple[str, str], str]:
        """Name of a territory by its level and code."""
        return {(level, code): name for level, code, name in self.names.iter_rows()}

    def territories(self, level: str) -> pl.DataFrame:
        """Return ``level, code, name, communes, population`` of the units of a level, by code.

        ``population`` is null when one commune of the unit lacks it.
        """
        if level == "france":
            overseas = pl.col("departement")
            fields = {
                FRANCE_CODE: pl.lit(value=True), FRANCE_WITHOUT_MAYOTTE: overseas != "976",
                FRANCE_METROPOLITAN: ~overseas.str.starts_with("97"),
            }  # fmt: skip
            parts = [self.communes.filter(inside).with_columns(code=pl.lit(code)) for code, inside in fields.items()]
            members = pl.concat(parts)
        else:
            members = self.communes if level == "commune" else self.communes.with_columns(code=pl.col(level))
        grouped = members.group_by("code")
        known = pl.col("population").is_not_null().all()
        counts = grouped.agg(
            communes=pl.len().cast(pl.Int64), population=pl.when(known).then(pl.col("population").sum())
        )
        names = self.names.filter(level=level)
        return names.join(counts, on="code", how="inner").sort("code")

    def kept_town(self, key: Hashable, make: Callable[[], TownAccess]) -> TownAccess:
        """Return the study of the access of a town, made by ``make`` the first time; the last few are kept."""
        with self._lock:
            if key in self._towns:
                self._towns.move_to_end(key)
                return self._towns[key]
        made = make()
        with self._lock:
            self._towns[key] = made
            while len(self._towns) > _TOWNS_KEPT:
                self._towns.popitem(last=False)
        return made

    # -- values -----------------------------------------------------------------------------------------------------

    @cached_property
    def indicators(self) -> pl.DataFrame:
        """Words of the indicators: ``indicator, label, theme, unit``."""
        rows = [(item.id, item.declaration.label, item.declaration.theme, item.declaration.unit)
                for item in load_indicators().values()]  # fmt: skip
        return pl.DataFrame(rows, schema=["indicator", "label", "theme", "unit"], orient="row")

    @cached_property
    def _larger(self) -> pl.DataFrame:
        """Values of every level above the commune, sorted by indicator."""
        table = pl.scan_parquet(self.observatory.snapshot.path("values.parquet"))
        rows = table.filter(pl.col("level") != "commune").sort("indicator", "level", "code")
        return rows.with_columns(pl.col(_CATEGORIES).cast(pl.Categorical)).collect()

    @cached_property
    def _runs(self) -> tuple[pl.LazyFrame, dict[str, tuple[int, int]]]:
        """Return the table of values and where each commune stands in it: it is sorted by code.

        Reading the rows at their place is four times faster than looking for them.
        """
        table = pl.scan_parquet(self.observatory.snapshot.path("values.parquet"))
        runs = table.select(pl.col("code").rle()).unnest("code").collect()
        ends = runs["len"].cum_sum().to_list()
        return table, {
            code: (end - size, size) for code, end, size in zip(runs["value"], ends, runs["len"], strict=True)
        }

    def of_commune(self, code: str) -> pl.DataFrame:
        """Return the values of a commune, columns :data:`VALUE_FIELDS`."""
        table, runs = self._runs
        start, size = runs.get(code, (0, 0))
        return self.described(table.slice(start, size).collect().filter(pl.col("level") == "commune"))

    def of_communes(self, codes: Sequence[str]) -> pl.DataFrame:
        """Return the values of some communes, in their order."""
        rows = self.described(self.observatory.values([("commune", code) for code in codes]))
        order = pl.col("code").replace_strict(list(codes), list(range(len(codes))), return_dtype=pl.Int64)
        return rows.sort("indicator", order, maintain_order=True)

    def of_indicator(self, indicator: str, level: str) -> pl.DataFrame:
        """Return the raw rows of an indicator at one level, by code.

        Raises
        ------
        UnknownIndicatorError
            When the registry has no such indicator.
        """
        get_indicator(indicator)
        if level != "commune":
            return self._larger.filter(pl.col("indicator") == indicator, pl.col("level") == level).sort("code")
        with self._lock:
            if indicator in self._frames:
                self._frames.move_to_end(indicator)
                return self._frames[indicator]
            # One reading at a time: a hundred readers of the same indicator wait for one.
            table = pl.scan_parquet(self.observatory.snapshot.path("values.parquet"))
            wanted = table.filter(pl.col("indicator") == indicator, pl.col("level") == "commune")
            frame = wanted.sort("code").with_columns(pl.col(_CATEGORIES).cast(pl.Categorical)).collect()
            self._frames[indicator] = frame
            while len(self._frames) > _FRAMES_KEPT:
                self._frames.popitem(last=False)
            return frame

    def described(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows of values with their words, their French texts and their status; never a value that is hidden."""
        table = rows.with_columns(pl.col(_CATEGORIES).cast(pl.String))
        usable = pl.col("status").is_in(USABLE) & pl.col("value").is_finite()
        table = table.with_columns(
            value=pl.when(usable).then("value"),
            n=pl.when(pl.col("status") != "secret").then("n"),
            demo=pl.col("status") == "demo",
            source_ids=pl.col("source_ids").str.split(","),
        )
        table = table.join(self.indicators, on="indicator", how="inner", maintain_order="left")
        triples = table.select("indicator", "value", "status").iter_rows()
        texts = [value_text(indicator, value, status) for indicator, value, status in triples]
        # A join would hash the 36,000 names of the country for the two hundred rows of a town.
        names = [self.name_of.get(key) for key in table.select("level", "code").iter_rows()]
        columns = {"text": pl.Series(texts, dtype=pl.String), "name": pl.Series(names, dtype=pl.String)}
        return table.with_columns(**columns).select(VALUE_FIELDS)


@lru_cache(maxsize=2)
def api_data(observatory: Observatory) -> ApiData:
    """Return the data of an opened snapshot; the same object for the same snapshot."""
    return ApiData(observatory)
