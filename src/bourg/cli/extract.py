"""Command of the extractor: objects of a theme in a territory, as a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bourg.cli.base import JsonOption, app, console, print_json, print_table, print_text, settings_of
from bourg.cli.french import FrenchCommand
from bourg.cli.progress import ByteBars, StepBar
from bourg.errors import ParameterError, StorageError
from bourg.text import count_of, format_date, format_number

if TYPE_CHECKING:
    from bourg.extract.engine import Extraction, Source
    from bourg.extract.territory import Territories, Territory
    from bourg.extract.themes import Theme
    from bourg.settings import Settings


class Form(StrEnum):
    """Forms of a file."""

    CSV = "csv"
    GEOJSON = "geojson"
    GEOPARQUET = "geoparquet"


_BY_SUFFIX = {".csv": Form.CSV, ".geojson": Form.GEOJSON, ".json": Form.GEOJSON, ".parquet": Form.GEOPARQUET}


@app.command(cls=FrenchCommand)
def extract(
    theme: Annotated[str | None, typer.Argument(metavar="THÈME", help="commerce, culture, energie, sante…")] = None,
    territory: Annotated[
        str | None,
        typer.Argument(metavar="TERRITOIRE", help="Commune, intercommunalité ou département : code ou nom."),
    ] = None,
    osm: Annotated[
        list[Path] | None, typer.Option("--osm", help="Extrait .osm.pbf, .osm ou .osm.gz (répétable).")
    ] = None,
    overpass: Annotated[
        bool, typer.Option("--overpass", help="Demande au serveur de BOURG_OVERPASS (désactivé sans ce réglage).")
    ] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Redemande au serveur malgré la réponse gardée.")] = False,
    bbox: Annotated[str | None, typer.Option("--bbox", help="Boîte ouest,sud,est,nord, sans territoire.")] = None,
    form: Annotated[Form | None, typer.Option("--format", help="Forme du fichier (celle du suffixe sinon).")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Fichier à écrire.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="Liste les thèmes et les extraits locaux.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Extrait les objets d'OpenStreetMap d'un thème dans un territoire : CSV, GeoJSON, GeoParquet."""
    settings = settings_of()
    if listing:
        _list(settings, osm or [], as_json=as_json)
        return
    from bourg.extract.themes import theme_named  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    if theme is None or (territory is None) == (bbox is None):
        raise ParameterError(
            "Il faut un thème, et un territoire ou une boîte.",
            next_step="exemples : bourg extract commerce redon ; bourg extract sante --bbox=-2.10,47.64,-2.07,47.66.",
        )
    if overpass and osm:
        raise ParameterError("Choisissez : un extrait local (--osm) ou un serveur (--overpass), pas les deux.")
    wanted = theme_named(theme)
    form = _form(form, output)
    observatory = open_observatory(settings)
    from bourg.extract.territory import Territories, box_territory  # noqa: PLC0415

    territories = Territories(observatory.snapshot, observatory.index)
    place = box_territory(bbox) if bbox is not None else territories.find(str(territory))
    quiet = as_json or (output is None and form is not None)
    if overpass:
        path, source = _asked(wanted, place, settings, refresh=refresh, quiet=quiet)
    else:
        path, source = _local(place, settings, osm or [], quiet=quiet)
    found = _read(wanted, place, path, source, territories, settings, quiet=quiet)
    _give(found, form, output, as_json=as_json)


def _form(given: Form | None, output: Path | None) -> Form | None:
    form = given or (None if output is None else _BY_SUFFIX.get(output.suffix.lower()))
    if output is not None and form is None:
        raise ParameterError(
            "Le suffixe du fichier ne dit pas sa forme.", where=str(output),
            next_step="ajoutez --format csv, geojson ou geoparquet.",
        )  # fmt: skip
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise ParameterError(
            "Le fichier à écrire n'a pas de dossier où aller.", where=str(output),
            next_step="donnez un nom de fichier dans un dossier qui existe.",
        )  # fmt: skip
    if output is None and form is Form.GEOPARQUET:
        raise ParameterError("Un GeoParquet s'écrit dans un fichier.", next_step="ajoutez -o FICHIER.parquet.")
    return form


def _asked(theme: Theme, place: Territory, settings: Settings, *, refresh: bool, quiet: bool) -> tuple[Path, Source]:
    from bourg.extract.overpass import ask  # noqa: PLC0415

    with ByteBars(console, quiet=quiet) as bars:
        answer = ask(theme, place, settings, refresh=refresh, progress=bars.advance)
    return answer.path, answer.source()


def _local(place: Territory, settings: Settings, given: list[Path], *, quiet: bool) -> tuple[Path, Source]:
    from bourg.extract.engine import local_source  # noqa: PLC0415
    from bourg.extract.files import best_extract, local_extracts  # noqa: PLC0415

    extracts, problems = local_extracts(settings, given)
    if problems and given:
        raise problems[0]
    if not quiet:
        for problem in problems:
            console.print(f"attention : {problem.where} : {problem.what}")
    best = best_extract(extracts, place, settings)
    return best.extract.path, local_source(best.extract, best.share)


def _read(
    theme: Theme, place: Territory, path: Path, source: Source, territories: Territories, settings: Settings,
    *, quiet: bool,
) -> Extraction:  # fmt: skip
    from bourg.extract.engine import extract as run  # noqa: PLC0415

    with StepBar(console, "Extraction", quiet=quiet) as bar:
        return run(theme, place, path, source, territories=territories, settings=settings, progress=bar.advance)


def _give(found: Extraction, form: Form | None, output: Path | None, *, as_json: bool) -> None:
    from bourg.extract.sentences import remarks, summary  # noqa: PLC0415
    from bourg.extract.writers import notes, write  # noqa: PLC0415

    if form is not None and output is None:
        print_text(write(found, form.value).decode().removesuffix("\n"))
        return
    if form is not None and output is not None:
        _save(output, write(found, form.value))
    counts = found.counts()
    if as_json:
        told = {**notes(found), "categories": counts.rename({"category": "categorie", "count": "objets"}).to_dicts()}
        print_json({**told, "fichier": None if output is None else str(output)})
        return
    print_text(summary(found))
    if output is None:
        rows = [[group, category, format_number(count)] for group, category, count, *_ in counts.iter_rows()]
        print_table(["Groupe", "Catégorie", "Objets"], rows)
    else:
        print_text(f"Écrit : {output} ({count_of(output.stat().st_size, 'octet')})")
    for text in remarks(found):
        print_text(f"    {text}")


def _save(output: Path, content: bytes) -> None:
    from bourg.sources.files import write_atomic  # noqa: PLC0415

    try:
        write_atomic(output, content)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            "Le fichier n'a pas pu être écrit.", where=str(output), why=str(error.strerror or error),
            next_step="choisissez un autre nom ou un autre dossier.",
        ) from error  # fmt: skip


def _list(settings: Settings, given: list[Path], *, as_json: bool) -> None:
    from bourg.extract.files import DOWNLOAD_PAGE, extract_folder, local_extracts  # noqa: PLC0415
    from bourg.extract.overpass import OVERPASS_VARIABLE, server_address  # noqa: PLC0415
    from bourg.extract.themes import themes  # noqa: PLC0415

    extracts, problems = local_extracts(settings, given)
    address = server_address()
    if as_json:
        print_json({
            "themes": [{"id": item.id, "nom": item.label, "resume": item.summary} for item in themes().values()],
            "extraits": [
                {"fichier": str(item.path), "emprise": item.box, "emprise_declaree": item.declared, "date": item.date}
                for item in extracts
            ],
            "illisibles": [problem.to_dict() for problem in problems],
            "overpass": address,
        })  # fmt: skip
        return
    print_table(["Thème", "Nom", "Contenu"], [[item.id, item.label, item.summary] for item in themes().values()])
    print_text("")
    if extracts:
        rows = [
            [
                item.name, format_date(item.date[:10]) if item.date else "date inconnue",
                "vide" if item.box is None else " ".join(f"{side:.3f}" for side in item.box),
            ]
            for item in extracts
        ]  # fmt: skip
        print_table(["Extrait", "Données du", "Emprise (ouest, sud, est, nord)"], rows)
    else:
        print_text(f"Aucun extrait dans {extract_folder(settings)}. Pour en obtenir : {DOWNLOAD_PAGE}")
    for problem in problems:
        print_text(f"    illisible : {problem.where} : {problem.what}")
    state = f"serveur {address}, avec --overpass" if address else f"désactivé (réglage {OVERPASS_VARIABLE})"
    print_text(f"Overpass : {state}.")
