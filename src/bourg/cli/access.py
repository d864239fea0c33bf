"""Commands on access: networks of streets, travel times from a commune."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bourg.cli.base import JsonOption, TownArgument, app, console, print_json, print_table, print_text, settings_of
from bourg.cli.french import FrenchCommand, FrenchGroup
from bourg.cli.progress import StepBar
from bourg.errors import ParameterError
from bourg.text import format_number

if TYPE_CHECKING:
    import polars as pl

    from bourg.access.study import Reach, TownAccess

network_app = typer.Typer(
    name="network", cls=FrenchGroup, no_args_is_help=True, rich_markup_mode=None,
    subcommand_metavar="COMMANDE [ARGUMENTS]...",
    help="Réseaux de rues : construire, lister, retirer.",
)  # fmt: skip
app.add_typer(network_app)


class Mode(StrEnum):
    """Ways of travelling."""

    FOOT = "foot"
    BIKE = "bike"
    CAR = "car"


@network_app.command("build", cls=FrenchCommand)
def network_build(
    files: Annotated[
        list[Path], typer.Argument(metavar="FICHIER...", help="Extraits .osm.pbf, .osm, .osm.gz, ou zip de voirie.")
    ],
    name: Annotated[str | None, typer.Option("--nom", help="Nom du réseau (celui du fichier par défaut).")] = None,
    elevation: Annotated[
        Path | None, typer.Option("--relief", help="Modèle de terrain (GeoTIFF ou .asc) : les pentes comptent.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Construit un réseau de rues à partir d'extraits OpenStreetMap."""
    from bourg.access.network.installed import install_network  # noqa: PLC0415

    shares = iter(step / 12 for step in range(1, 12))
    with StepBar(console, "Réseau", quiet=as_json) as bar:
        found = install_network(
            files, settings_of(), name=name, elevation=elevation,
            progress=lambda label: bar.advance(label, next(shares, 0.95)),
        )  # fmt: skip
    manifest = found.network.manifest
    if as_json:
        print_json({"nom": found.name, "dossier": str(found.folder), **manifest})
        return
    counts = manifest["counts"]
    print_text(
        f"Réseau « {found.name} » : {format_number(counts['segments'])} tronçons, {format_number(counts['nodes'])} "
        f"carrefours, {format_number(found.facilities.table.height)} équipements. {manifest['licence']}."
    )
    for warning in manifest["warnings"]:
        print_text(f"    attention : {warning}")


@network_app.command("list", cls=FrenchCommand)
def network_list(as_json: JsonOption = False) -> None:
    """Liste les réseaux installés."""  # noqa: D401 - French
    from bourg.access.network.installed import installed_networks  # noqa: PLC0415

    found = installed_networks(settings_of())
    if as_json:
        print_json([{"nom": item.name, "demonstration": item.demo, **item.network.manifest} for item in found])
        return
    if not found:
        print_text("Aucun réseau installé. Pour en construire un : bourg network build FICHIER.osm.pbf")
        return
    rows = [
        [
            f"{item.name}{' ◆' if item.demo else ''}", format_number(item.network.manifest["counts"]["segments"]),
            item.date[:10] or "date inconnue", " ".join(f"{side:.3f}" for side in item.network.bbox),
        ]
        for item in found
    ]  # fmt: skip
    print_table(["Réseau", "Tronçons", "Données du", "Emprise (ouest, sud, est, nord)"], rows)


@network_app.command("remove", cls=FrenchCommand)
def network_remove(name: Annotated[str, typer.Argument(metavar="NOM", help="Nom du réseau.")]) -> None:
    """Retire un réseau installé."""
    from bourg.access.network.installed import remove_network  # noqa: PLC0415

    remove_network(settings_of(), name)
    print_text(f"Réseau « {name} » retiré.")


@network_app.command("times", cls=FrenchCommand)
def network_times(
    output: Annotated[Path, typer.Argument(metavar="SORTIE", help="Fichier .parquet ou .csv : une ligne par commune.")],
    to: Annotated[str, typer.Option("--to", metavar="FAMILLE", help="pharmacie, cinema, boulangerie, ecole…")],
    mode: Annotated[Mode, typer.Option("--mode", help="À pied, à vélo ou en voiture.")] = Mode.FOOT,
    departement: Annotated[
        list[str] | None, typer.Option("--departement", help="Département (répétable ; tous ceux du réseau sinon).")
    ] = None,
    limit: Annotated[
        float, typer.Option("--limit", help="Durée au-delà de laquelle on ne cherche plus, minutes.")
    ] = 30,
    network: Annotated[str | None, typer.Option("--reseau", help="Réseau à utiliser (le seul installé sinon).")] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="« local » ou adresse d'un ordonnanceur Dask (tcp://…).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Calcule les temps d'accès de départements entiers, un morceau par département."""  # noqa: D401 - French
    from bourg.access.network.installed import network_named  # noqa: PLC0415
    from bourg.access.territory import territory_times  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    _check_output(output)
    settings = settings_of()
    found = territory_times(
        open_observatory(settings).snapshot, network_named(settings, network), departement or [], mode.value, to,
        limit_min=limit, scheduler=scheduler,
    )  # fmt: skip
    _write_rows(found.communes, output)
    if as_json:
        print_json({"fichier": str(output), "communes": found.communes.height, "equipements": found.facilities})
    else:
        print_text(f"{found.communes.height} communes, {found.facilities} équipements : {output}")


class Variant(StrEnum):
    """Floating catchments."""

    TWO = "2sfca"
    ENHANCED = "e2sfca"
    THREE = "3sfca"
    APL = "apl"


@network_app.command("catchment", cls=FrenchCommand)
def network_catchment(
    output: Annotated[Path, typer.Argument(metavar="SORTIE", help="Fichier .parquet ou .csv : une ligne par commune.")],
    to: Annotated[str, typer.Option("--to", metavar="FAMILLE", help="medecin_generaliste, pharmacie…")],
    mode: Annotated[Mode, typer.Option("--mode", help="À pied, à vélo ou en voiture.")] = Mode.CAR,
    variant: Annotated[
        Variant, typer.Option("--methode", help="Zone flottante ; apl : estimation.")
    ] = Variant.ENHANCED,
    departement: Annotated[
        list[str] | None, typer.Option("--departement", help="Département (répétable ; tous ceux du réseau sinon).")
    ] = None,
    network: Annotated[str | None, typer.Option("--reseau", help="Réseau à utiliser (le seul installé sinon).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Calcule l'offre pour 10 000 habitants, concurrence des voisins comprise (2SFCA, E2SFCA, 3SFCA, type APL)."""  # noqa: D401
    from bourg.access.network.installed import network_named  # noqa: PLC0415
    from bourg.access.territory import territory_catchment  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    _check_output(output)
    settings = settings_of()
    rows, made = territory_catchment(
        open_observatory(settings).snapshot, network_named(settings, network), departement or [], mode.value, to,
        variant=variant.value,
    )  # fmt: skip
    _write_rows(rows, output)
    notes = ["Chaque équipement compte pour un : sa capacité n'est pas connue.", *made.notes]
    if as_json:
        print_json({"fichier": str(output), "communes": rows.height, "methode": made.label, "remarques": notes})
        return
    print_text(f"{rows.height} communes, {made.supplies.height} équipements, {made.label} : {output}")
    print_text("\n".join(notes))


def _check_output(output: Path) -> None:
    if output.suffix not in {".parquet", ".csv"}:
        raise ParameterError(
            "Le fichier à écrire doit finir par .parquet ou .csv.", where=str(output), next_step="exemple : temps.csv"
        )


def _write_rows(rows: pl.DataFrame, output: Path) -> None:
    from bourg.store.cache import writing  # noqa: PLC0415

    with writing(output):
        if output.suffix == ".csv":
            rows.write_csv(output, separator=";")
        else:
            rows.write_parquet(output)


@app.command(cls=FrenchCommand)
def access(
    commune: TownArgument,
    to: Annotated[str, typer.Option("--to", metavar="FAMILLE", help="pharmacie, cinema, boulangerie, ecole…")],
    mode: Annotated[Mode, typer.Option("--mode", help="À pied, à vélo ou en voiture.")] = Mode.FOOT,
    limit: Annotated[
        float, typer.Option("--limit", help="Durée au-delà de laquelle on ne cherche plus, minutes.")
    ] = 30,
    threshold: Annotated[float, typer.Option("--seuil", help="Au-delà, un lieu n'est pas desservi, minutes.")] = 15,
    network: Annotated[str | None, typer.Option("--reseau", help="Réseau à utiliser (le plus large sinon).")] = None,
    geojson: Annotated[bool, typer.Option("--geojson", help="Points et équipements en GeoJSON.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Dit en combien de temps les habitants atteignent un équipement, à pied, à vélo ou en voiture."""
    from bourg.access.network.installed import network_named  # noqa: PLC0415
    from bourg.access.study import open_town_access  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    settings = settings_of()
    observatory = open_observatory(settings)
    match = observatory.index.resolve(commune)
    chosen = network_named(settings, network) if network is not None else None
    study = open_town_access(observatory.snapshot, settings, match.code, name=match.name, network=chosen)
    reach = study.reach(mode.value, to, limit_min=limit)
    if geojson:
        print_json(study.to_geojson(reach))
    elif as_json:
        print_json(study.to_dict(reach, threshold))
    else:
        _describe(study, reach, match.label, threshold)


def _describe(study: TownAccess, reach: Reach, label: str, threshold: float) -> None:
    mark = " ◆" if study.demo else ""
    print_text(f"{label} : {reach.family.plural}{mark}")
    print_text(reach.sentence())
    shares = [
        f"{format_number(100 * reach.summary[f'within_{minutes}'])} % à moins de {minutes} min"
        for minutes in (5, 10, 15, 20, 30)
        if reach.summary.get(f"within_{minutes}") is not None
    ]
    if shares and not reach.one_point:
        print_text("Habitants : " + ", ".join(shares) + ".")
    if reach.at_town_halls:
        print_text(f"{reach.at_town_halls} équipements ne sont connus que par commune : ils sont placés à la mairie.")
    if study.outside_share:
        outside = format_number(100 * study.outside_share, 1)
        print_text(f"{outside} % des habitants sont hors du réseau ou loin de toute rue : leur temps est inconnu.")
    unserved = study.unserved(reach, threshold)
    if reach.one_point:
        print_text("Un seul point représente les habitants : ni part, ni médiane ne se calculent.")
    people = float(unserved["inhabitants"].sum())
    print_text(f"À plus de {format_number(threshold)} min, ou sans temps connu : {format_number(people)} habitants.")
    print_text(f"Habitants placés par : {study.population.sentence()}")
    network = study.installed
    date = f" du {network.date[:10]}" if network.date else ""
    print_text(f"Réseau « {network.name} »{date}. {network.network.manifest['licence']}.")
