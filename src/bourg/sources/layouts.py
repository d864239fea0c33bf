"""Logical columns of official tables, the names that vintages gave them, and the opened table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import cells
from bourg.sources.report import ReadReport
from bourg.text import unaccented

_NOT_NAME = re.compile(r"[^a-z0-9]+")


def fold(name: str) -> str:
    """Return a column name without accents, case, spaces, underscores or punctuation."""
    return _NOT_NAME.sub("", unaccented(name))


@dataclass(frozen=True)
class Column:
    """A logical column and the names that official vintages gave it.

    Attributes
    ----------
    names
        Accepted names, compared once folded; the first is the one shown in messages.
    pattern
        Regular expression on the folded name, for names that carry a year.
    required
        The layout needs it.
    """

    names: tuple[str, ...]
    pattern: str | None = None
    required: bool = True

    def find(self, header: Sequence[str]) -> str | None:
        """Return the first name of ``header`` that is this column, in the order of ``names``."""
        folded = [fold(name) for name in header]
        for wanted in self.names:
            if fold(wanted) in folded:
                return header[folded.index(fold(wanted))]
        if self.pattern:
            for name, short in zip(header, folded, strict=True):
                if re.fullmatch(self.pattern, short):
                    return name
        return None


def column(*names: str, pattern: str | None = None) -> Column:
    """Declare a required column."""
    return Column(names, pattern)


def optional(*names: str, pattern: str | None = None) -> Column:
    """Declare a column that some vintages do not have."""
    return Column(names, pattern, required=False)


Layout = Mapping[str, Column]


@dataclass
class Table:
    """An opened table.

    Attributes
    ----------
    layout
        Name of the layout recognised.
    columns
        Logical name -> name in the file, for the columns present.
    header
        Every name of the file, in order.
    frame
        Lazy frame of text, columns named as in ``header``.
    rows
        Number of data rows, when known before reading.
    """

    path: Path
    layout: str
    fields: Layout
    columns: dict[str, str]
    header: list[str]
    frame: pl.LazyFrame
    report: ReadReport
    rows: int | None = None
    excel_cells: bool = False

    def pick_raw(self) -> pl.LazyFrame:
        """Return the logical columns as they are in the file: for large files, tidied by distinct value after."""
        return self.frame.select(
            (pl.col(self.columns[name]) if name in self.columns else pl.lit(None, dtype=pl.String)).alias(name)
            for name in self.fields
        )

    def tidy(self, frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
        """Clean text columns of few distinct values: one cleaning per value rather than per row."""
        for name in names:
            values = frame.select(pl.col(name).unique().alias("raw"))
            raw = pl.col("raw")
            values = values.with_columns(clean=cells.text(cells.excel_cell(raw) if self.excel_cells else raw))
            changed = values.filter(~pl.col("clean").eq_missing(raw))
            if changed.height:
                frame = frame.with_columns(pl.col(name).replace(changed["raw"], changed["clean"]))
        return frame

    def pick(self, *extra: str) -> pl.LazyFrame:
        """Return the logical columns as clean text (absent ones null), then ``extra`` file columns."""
        chosen: list[pl.Expr] = []
        for logical in self.fields:
            if logical in self.columns:
                raw = pl.col(self.columns[logical])
                chosen.append(cells.text(cells.excel_cell(raw) if self.excel_cells else raw).alias(logical))
            else:
                chosen.append(pl.lit(None, dtype=pl.String).alias(logical))
        return self.frame.select(*chosen, *(cells.text(pl.col(name)).alias(name) for name in extra))

    def read(self, *extra: str) -> pl.DataFrame:
        """Collect :meth:`pick`; blank rows are skipped, header rows repeated inside the data are counted.

        Raises
        ------
        SourceFormatError
            When the content cannot be parsed, or when there is no data row.
        """
        frame = self.collect(self.pick(*extra))
        named = [(logical, name) for logical, name in self.columns.items() if self.fields[logical].required]
        if named:
            repeated = pl.all_horizontal(
                (pl.col(logical) == name.strip()).fill_null(value=False) for logical, name in named
            )
            blank = pl.all_horizontal(pl.all().is_null())
            marked = frame.with_columns(_repeated=repeated, _blank=blank)
            self.report.reject("ligne d'en-tête répétée dans les données", int(marked["_repeated"].sum()))
            frame = marked.filter(~pl.col("_repeated") & ~pl.col("_blank")).drop("_repeated", "_blank")
        self.report.rows_read += frame.height
        if frame.height == 0:
            raise no_rows(self.path)
        return frame

    def collect(self, lazy: pl.LazyFrame) -> pl.DataFrame:
        """Run a lazy frame made from this table in the streaming engine.

        Raises
        ------
        SourceFormatError
            When the content cannot be parsed.
        """
        try:
            return lazy.collect(engine="streaming")
        except (pl.exceptions.ComputeError, pl.exceptions.SchemaError, pl.exceptions.ShapeError) as error:
            raise SourceFormatError(
                "Le contenu du fichier ne peut pas être lu.",
                where=self.path.name,
                why=str(error).split("\n", 1)[0][:300],
                next_step="téléchargez-le à nouveau : il est sans doute coupé ou abîmé.",
            ) from error


def no_rows(path: Path) -> SourceFormatError:
    """Return the error of a file that has its header and nothing else."""
    return SourceFormatError(
        "Le fichier a un en-tête mais aucune ligne de données.",
        where=path.name,
        next_step="téléchargez-le à nouveau depuis la page officielle de la source.",
    )


def missing_columns(path: Path, layouts: Mapping[str, Layout], header: Sequence[str], line: int) -> SourceFormatError:
    """Return the error that names the columns missing from the closest layout, and those found."""

    def absent(layout: Layout) -> list[str]:
        return [field.names[0] for field in layout.values() if field.required and field.find(header) is None]

    # The closest layout is the one whose missing part is the smallest.
    closest = min(
        layouts.values(), key=lambda layout: len(absent(layout)) / max(sum(f.required for f in layout.values()), 1)
    )
    missing = absent(closest)
    found = ", ".join(name.strip() for name in header[:40]) or "aucune"
    return SourceFormatError(
        "Il manque des colonnes dans le fichier." if len(missing) > 1 else "Il manque une colonne dans le fichier.",
        where=f"{path.name}, en-tête lu à la ligne {line}",
        why=f"manquent : {', '.join(missing)} ; trouvées : {found[:600]}.",
        next_step="vérifiez que c'est le bon fichier (« bourg sources --explain » en donne les colonnes) ; "
        "si le producteur a changé son format, signalez-le.",
    )


def match_layout(layouts: Mapping[str, Layout], header: Sequence[str]) -> tuple[str, dict[str, str]] | None:
    """Return the first layout whose required columns are all in the header, with their names in the file."""
    for name, layout in layouts.items():
        found = {logical: field.find(header) for logical, field in layout.items()}
        if all(found[logical] is not None for logical, field in layout.items() if field.required):
            return name, {logical: file for logical, file in found.items() if file is not None}
    return None


def unique_names(header: Sequence[str]) -> list[str]:
    """Return the names of a header without byte order mark, the repeated ones told apart."""
    seen: dict[str, int] = {}
    names = []
    for name in header:
        clean = name.strip().strip("\ufeff").strip('"') or "vide"
        seen[clean] = seen.get(clean, 0) + 1
        names.append(clean if seen[clean] == 1 else f"{clean}__{seen[clean]}")
    return names
