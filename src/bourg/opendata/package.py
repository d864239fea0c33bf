"""The snapshot as a Frictionless data package: Parquet files and one ``datapackage.json`` that explains them.

Specification: Data Package 1.0 and Table Schema 1.0 (https://specs.frictionlessdata.io/), read by every tool of the
family. Layers are GeoParquet 1.1.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bourg import __version__
from bourg.compare.matrix import NO_LOT, CommuneMatrix
from bourg.errors import BourgError, StorageError
from bourg.indicators.registry import load_indicators
from bourg.opendata.resources import Published, column_text, published, schema_type
from bourg.portrait.observatory import Observatory
from bourg.sources.model import load_catalogue
from bourg.store.geoparquet import BBOX, GEOMETRY, geoparquet_bytes
from bourg.store.snapshot import Snapshot
from bourg.store.spreadsheets import safe_text

DESCRIPTOR = "datapackage.json"
_FORMATS: dict[str, dict[str, Any]] = {
    # Sizes and checksums are said in words of ours: the reference tool does not count the bytes of Parquet files.
    "parquet": {"profile": "data-resource", "format": "parquet", "mediatype": "application/vnd.apache.parquet"},
    "csv": {"profile": "tabular-data-resource", "format": "csv", "mediatype": "text/csv", "encoding": "utf-8"},
}
LICENCES = [
    {
        "name": "etalab-2.0",
        "title": "Licence Ouverte 2.0 (Etalab)",
        "path": "https://www.etalab.gouv.fr/licence-ouverte-open-licence",
    }
]
_READ_ME = "LISEZMOI.md"
Progress = Callable[[str, float], None]


class NotAPackageError(BourgError, FileExistsError):
    """A folder that holds something else than a data package made by Bourg."""

    exit_code = 2

    __str__ = BourgError.__str__


@dataclass(frozen=True)
class PackageReport:
    """What was written: folder, number of resources, rows and bytes."""

    folder: str
    resources: int
    rows: int
    size: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def available(snapshot: Snapshot) -> list[Published]:
    """Return the resources that this snapshot can give."""
    return [
        item for item in published()
        if item.built or (item.file in snapshot.manifest["files"]) or (item.table and snapshot.has_table(item.table))
    ]  # fmt: skip


def write_package(observatory: Observatory, folder: Path, progress: Progress | None = None) -> PackageReport:
    """Write the data package; the folder appears, or is replaced, only when everything is written.

    Parameters
    ----------
    observatory
        The snapshot to publish.
    folder
        A new or empty folder, or a package made before, which is then replaced.
    progress
        Called with a French label and the share done.

    Raises
    ------
    NotAPackageError
        When the folder holds something else.
    StorageError
        When the disk refuses; nothing is then changed.
    """
    check_folder(folder)
    tell = progress or (lambda _label, _share: None)
    items = available(observatory.snapshot)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
            part = Path(temporary) / "paquet"
            (part / "data").mkdir(parents=True)
            entries = []
            for index, item in enumerate(items):
                tell(item.title, index / len(items))
                entries.append(_write(observatory, item, part))
            descriptor = describe(observatory, entries)
            _write_text(part / DESCRIPTOR, json.dumps(descriptor, ensure_ascii=False, indent=2) + "\n")
            _write_text(part / _READ_ME, _read_me(descriptor))
            _replace(part, folder, Path(temporary))
    except OSError as error:
        raise StorageError(
            "Le paquet de données ne peut pas être écrit.", where=str(folder), why=error.strerror or str(error),
            next_step="vérifiez les droits et la place libre, ou donnez un autre dossier.",
        ) from error  # fmt: skip
    tell("Paquet écrit", 1.0)
    return PackageReport(
        folder=str(folder), resources=len(entries), rows=sum(entry["rows"] for entry in entries),
        size=sum(entry["size"] for entry in entries),
    )  # fmt: skip


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not a data package of ours.

    Raises
    ------
    NotAPackageError
        When it is a file, or holds something else.
    """
    refusal = ""
    if folder.is_dir():
        if any(folder.iterdir()) and not _is_ours(folder):
            refusal = "il n'est pas vide, et ce n'est pas un paquet de données fait par Bourg."
    elif folder.exists():
        refusal = "c'est un fichier."
    if refusal:
        raise NotAPackageError(
            "Le paquet de données ne peut pas être écrit dans ce dossier.", where=str(folder), why=refusal,
            next_step="donnez un dossier vide, ou qui n'existe pas encore : rien n'a été effacé ni écrit.",
        )  # fmt: skip


def _is_ours(folder: Path) -> bool:
    try:
        content = json.loads((folder / DESCRIPTOR).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and isinstance(content.get("bourg"), dict)


def _replace(part: Path, folder: Path, temporary: Path) -> None:
    # Same disk, two renames: a reader never sees half a package.
    if folder.exists():
        folder.rename(temporary / "ancien")
    part.rename(folder)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write(observatory: Observatory, item: Published, part: Path) -> dict[str, Any]:
    frame, notes = _rows(observatory, item)
    if item.geometry:
        content = geoparquet_bytes(frame, metadata=_origin(observatory.snapshot))
        frame = pl.read_parquet(content)
    elif item.file:
        content = observatory.snapshot.path(item.file).read_bytes()
    else:
        frame, content = _csv(frame)
    extension = "csv" if not item.geometry and not item.file else "parquet"
    name = f"data/{item.name}.{extension}"
    (part / name).write_bytes(content)
    fields = [
        {"name": column, "type": schema_type(kind), "description": notes.get(column) or column_text(item.name, column)}
        for column, kind in frame.schema.items()
    ]
    schema: dict[str, Any] = {"fields": fields}
    if item.key:
        schema["primaryKey"] = list(item.key)
    return {
        "name": item.name.replace("_", "-"),
        "path": name,
        "title": item.title,
        "description": item.description.strip(),
        "themes": list(item.themes),
        **_FORMATS[extension],
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "rows": frame.height,
        "demonstration": _is_demo(observatory.snapshot, item),
        "schema": schema,
    }


def _rows(observatory: Observatory, item: Published) -> tuple[pl.DataFrame, dict[str, str]]:
    if item.built:
        return _BUILT[item.built](observatory)
    source = observatory.snapshot.path(item.file or f"tables/{item.table}.parquet")
    return pl.read_parquet(source), {}


def _csv(frame: pl.DataFrame) -> tuple[pl.DataFrame, bytes]:
    """Return a short list as any tool reads it: lists joined, no text that a spreadsheet runs as a formula."""
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    flat = frame.with_columns(pl.col(lists).cast(pl.List(pl.String)).list.join(", "))
    texts = [name for name, kind in flat.schema.items() if kind == pl.String]
    cells = flat.with_columns(safe_text(pl.col(name)).alias(name) for name in texts)
    return flat, cells.write_csv(float_scientific=False).encode()


def _is_demo(snapshot: Snapshot, item: Published) -> bool:
    """Tell whether rows of a resource were generated; those of values say it one by one."""
    if item.table:
        return bool(snapshot.manifest["tables"][item.table]["demo"])
    return snapshot.demo


def _origin(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "instantane": snapshot.id, "date": snapshot.manifest["created"], "cog": snapshot.manifest["cog"],
        "licence": LICENCES[0]["title"], "demonstration": snapshot.demo,
    }  # fmt: skip


def describe(observatory: Observatory, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the descriptor of the package: what it is, its licence, its sources, its resources."""
    snapshot = observatory.snapshot
    catalogue = load_catalogue()
    sources = []
    for item in snapshot.manifest["sources"]:
        known = catalogue.get(item["id"])
        if known is None or item["origin"] == "demo":
            continue
        title = f"{known.title}, {known.producer}, {item['vintage']} ({known.licence})"
        sources.append({"title": title, "path": known.landing_page})
    texts = ["Indicateurs des communes françaises, de ce qui les compose et de ce à quoi elles ressemblent."]
    if snapshot.demo:
        texts.append(
            "Attention : cet instantané contient des données fabriquées pour la démonstration, que leur statut signale."
        )
    return {
        "profile": "data-package",
        "name": "bourg",
        "id": snapshot.id,
        "title": "Bourg, l'observatoire ouvert des petites villes",
        "description": " ".join(texts),
        "version": __version__,
        "created": snapshot.manifest["created"],
        "licenses": LICENCES,
        "sources": sources,
        "keywords": ["communes", "petites villes de demain", "indicateurs", "comparaison"],
        "bourg": _origin(snapshot),
        "resources": entries,
    }


def _indicators(_observatory: Observatory) -> tuple[pl.DataFrame, dict[str, str]]:
    columns = (
        "id", "label", "theme", "unit", "kind", "decimals", "levels", "sources", "direction", "formula", "limits",
        "secrecy", "reference",
    )  # fmt: skip
    rows = [item.declaration.model_dump(include=set(columns)) for item in load_indicators().values()]
    lists = {"levels", "sources"}
    data = {
        name: [list(map(str, row[name])) if name in lists else row[name] for row in rows] for name in columns
    }  # fmt: skip
    kinds: dict[str, Any] = {name: pl.List(pl.String) if name in lists else pl.String for name in columns}
    return pl.DataFrame(data, schema={**kinds, "decimals": pl.Int64}).sort("id"), {}


def _communes(observatory: Observatory) -> tuple[pl.DataFrame, dict[str, str]]:
    matrix = observatory.matrix
    notes = {name: text for name, _column, text in _latest(matrix)}
    columns = [pl.Series(name, column, dtype=pl.Float64).fill_nan(None) for name, column, _text in _latest(matrix)]
    wide = pl.DataFrame([pl.Series("code", list(matrix.codes)), *columns])
    outlines = observatory.snapshot.table("outlines").select("code", pl.col("wkb").alias(GEOMETRY)).collect()
    communes = observatory.snapshot.table("communes").drop("xmin", "ymin", "xmax", "ymax").collect()
    frame = communes.join(outlines, on="code", how="left").join(wide, on="code", how="left").sort("code")
    return frame, notes | {BBOX: column_text("communes", BBOX)}


def _latest(matrix: CommuneMatrix) -> Iterator[tuple[str, Any, str]]:
    """Yield ``(indicator, values, description)``: one period per column, the latest, never a mixture."""
    declared = load_indicators()
    for row, name in enumerate(matrix.indicators):
        if name not in declared or not matrix.lot_keys[row]:
            continue
        lot = max(range(len(matrix.lot_keys[row])), key=lambda index: _newest(matrix.lot_keys[row][index]))
        period, demo = matrix.lot_keys[row][lot]
        column = matrix.values[row].copy()
        column[(matrix.lots[row] != lot) | (matrix.lots[row] == NO_LOT)] = float("nan")
        declaration = declared[name].declaration
        unit = f", en {declaration.unit}" if declaration.unit else ""
        made = " ; valeurs fabriquées pour la démonstration" if demo else ""
        yield name, column, f"{declaration.label}{unit} ({period}{made})"


def _newest(key: tuple[str, bool]) -> tuple[bool, str]:
    # A real value first, then the latest period.
    period, demo = key
    return not demo, period


_BUILT: dict[str, Callable[[Observatory], tuple[pl.DataFrame, dict[str, str]]]] = {
    "indicators": _indicators,
    "communes": _communes,
}


def _read_me(descriptor: dict[str, Any]) -> str:
    licence = descriptor["licenses"][0]["title"]
    rows = [
        f"| [{item['path']}]({item['path']}) | {item['title']} | {item['rows']} |" for item in descriptor["resources"]
    ]
    sources = [f"- {source['title']} : {source['path']}" for source in descriptor["sources"]]
    lines = [
        f"# {descriptor['title']}", "", descriptor["description"], "",
        f"Instantané {descriptor['id']}, construit le {descriptor['created'][:10]}. Licence : {licence}.", "",
        "| ressource | contenu | lignes |", "|---|---|---|", *rows, "",
        f"Chaque colonne est décrite dans `{DESCRIPTOR}`. « data/communes.parquet » est une couche GeoParquet :",
        "elle s'ouvre telle quelle dans QGIS, GeoPandas ou DuckDB.", "",
        "```python", "import polars as pl", 'pl.read_parquet("data/values.parquet").filter(pl.col("code") == "12145")',
        "```", "", "## Sources", "", *sources,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
