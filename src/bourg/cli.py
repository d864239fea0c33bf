"""The command line: fetch, build, demo, sources, indicators, portrait, serve, doctor."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as RichTable

from bourg import __version__
from bourg.cli_french import ClickException, FrenchCommand, FrenchGroup, NoArgsIsHelpError, PipeClosedError, usage_error
from bourg.cli_progress import ByteBars, StepBar
from bourg.errors import BourgError, ParameterError
from bourg.settings import Settings, load_settings

app = typer.Typer(
    name="bourg",
    cls=FrenchGroup,
    subcommand_metavar="COMMANDE [ARGUMENTS]...",
    help="Bourg, l'observatoire ouvert des petites villes. Pour commencer : « bourg demo » puis « bourg serve ».",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console(stderr=True, highlight=False, soft_wrap=True)

if TYPE_CHECKING:
    from bourg.build.builder import BuildReport

_ORIGINS = {"mirror": "miroir", "fetched": "téléchargé", "registry": "registre", "demo": "DÉMONSTRATION"}
# What shells give to a program stopped by Ctrl+C.
_INTERRUPTED = 130


class OutputFormat(StrEnum):
    """Forms of a portrait."""

    TEXT = "text"
    JSON = "json"


JsonOption = Annotated[bool, typer.Option("--json", help="Sortie JSON sur la sortie standard.")]
MirrorOption = Annotated[
    Path | None, typer.Option("--mirror", help="Dossier de fichiers officiels à lire d'abord (ou BOURG_MIRROR).")
]


def _print(text: str) -> None:
    typer.echo(text)


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2))


def _settings(mirror: Path | None = None) -> Settings:
    settings = load_settings(mirror=mirror)
    if settings.mirror is not None and not settings.mirror.is_dir():
        raise ParameterError(
            "Le dossier du miroir n'existe pas.",
            where=str(settings.mirror),
            next_step="vérifiez le chemin de --mirror, ou la variable BOURG_MIRROR.",
        )
    return settings


@app.command(cls=FrenchCommand)
def fetch(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources à télécharger (toutes par défaut).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Télécharge les fichiers officiels (reprise après coupure, sommes de contrôle)."""
    from bourg.sources.fetch import fetch as run  # noqa: PLC0415 - httpx is slow to import
    from bourg.sources.model import load_catalogue  # noqa: PLC0415

    names = sources or list(load_catalogue())
    with ByteBars(console, quiet=as_json) as bars:
        results = run(names, _settings(), progress=bars.advance)
    if as_json:
        _print_json([
            {"source": item.source_id, "ressource": item.resource_id, "fichier": str(item.path) if item.path else None,
             "nouveau": item.changed, "erreur": item.error.to_dict() if item.error else None}
            for item in results
        ])  # fmt: skip
    else:
        for item in results:
            state = f"échec. {item.error}" if item.error else ("téléchargé" if item.changed else "déjà à jour")
            _print(f"{item.source_id}/{item.resource_id} : {state}")
    if any(item.error is not None for item in results):
        raise typer.Exit(5)


@app.command(cls=FrenchCommand)
def build(
    mirror: MirrorOption = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Complète ce qui manque par des données de démonstration.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Construit un instantané à partir des fichiers trouvés (miroir, téléchargements, registres)."""
    from bourg.build import build as run  # noqa: PLC0415
    from bourg.build.demonstration import ensure_demo  # noqa: PLC0415

    settings = _settings(mirror)
    with StepBar(console, "Construction", quiet=as_json) as bar:
        if demo:
            ensure_demo(settings, lambda label, share: bar.advance(label, 0.3 * share))
        start = 0.3 if demo else 0.0
        snapshot, report = run(
            settings, demo=demo, progress=lambda label, share: bar.advance(label, start + (1 - start) * share)
        )
    summary = {
        "instantane": snapshot.id, "dossier": str(snapshot.folder), "demonstration": snapshot.demo,
        "recalcule": report.recomputed, "reutilise": report.reused, **report.to_dict(),
    }  # fmt: skip
    if as_json:
        _print_json(summary)
    else:
        _describe_build(snapshot.id, report)
    if report.failures:
        raise typer.Exit(4)


def _describe_build(identifier: str, report: BuildReport) -> None:
    for item in report.sources:
        read = f"{item['lignes_gardees']} lignes sur {item['lignes_lues']}"
        _print(f"{item['source']}/{item['ressource']} ({_ORIGINS[item['origine']]}) : {read}")
        for reason, rejection in item["rejets"].items():
            _print(f"    écarté : {rejection['nombre']} × {reason} (ex. {' ; '.join(rejection['exemples'][:2])})")
        for what, count in item["reparations"].items():
            _print(f"    réparé : {count} × {what}")
    for failure in report.failures:
        told = [failure[part] for part in ("quoi", "ou", "pourquoi", "que_faire") if failure[part]]
        _print(f"{failure['source']}/{failure['ressource']} : ARRÊTÉE. {' — '.join(told)}")
    for table, moves in report.moves.items():
        unmoved = [item for move in moves.values() for item in move.get("non_deplacees", [])]
        if unmoved:
            codes = ", ".join(item["code"] for item in unmoved[:8]) + ("…" if len(unmoved) > 8 else "")
            _print(f"{table} : {len(unmoved)} codes non placés dans la géographie de référence ({codes})")
    _print(f"{len(report.recomputed)} étapes calculées, {len(report.reused)} réutilisées.")
    _print(f"Instantané {identifier} en service.")


@app.command(cls=FrenchCommand)
def demo(
    force: Annotated[bool, typer.Option("--force", help="Refait les fichiers même s'ils existent.")] = False,
    sample: Annotated[
        Path | None,
        typer.Option("--sample", help="Écrit seulement l'échantillon mock_cultural_data.csv dans ce dossier."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fabrique la démonstration (communes vraies, le reste généré et marqué) et la met en service."""
    from bourg.build import build as run  # noqa: PLC0415
    from bourg.build.demonstration import ensure_demo, write_sample  # noqa: PLC0415

    if sample is not None:
        _print(str(write_sample(sample, _settings())))
        return
    # A demonstration is the same for everybody: a mirror of the environment is not read here.
    settings = replace(_settings(), mirror=None)
    with StepBar(console, "Démonstration", quiet=as_json) as bar:
        ensure_demo(settings, lambda label, share: bar.advance(label, 0.45 * share), force=force)
        snapshot, report = run(
            settings, demo=True, progress=lambda label, share: bar.advance(label, 0.45 + 0.55 * share)
        )
    if as_json:
        _print_json({"instantane": snapshot.id, "dossier": str(snapshot.folder), **report.to_dict()})
    else:
        _print(f"Instantané de démonstration {snapshot.id} en service. Ouvrez-le avec : bourg serve")


@app.command(cls=FrenchCommand)
def sources(
    explain: Annotated[str | None, typer.Option("--explain", help="Décrit une source.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Liste les sources officielles, ou en décrit une."""  # noqa: D401 - French
    from bourg.sources.model import get_source, load_catalogue  # noqa: PLC0415

    if explain:
        source = get_source(explain)
        if as_json:
            _print_json(source.model_dump(mode="json"))
            return
        lines = [
            source.title,
            f"Producteur : {source.producer}",
            f"Licence : {source.licence}",
            f"Mise à jour : {source.rhythm}",
            f"Page : {source.landing_page}",
            f"Grain : {source.grain}",
            f"Tables : {', '.join(source.tables)}",
        ]
        for resource in source.resources:
            address = resource.url or resource.package or "plus en ligne"
            lines.append(f"- {resource.id} : {resource.vintage} ({address})")
            lines += [f"    attention : {text}" for text in resource.caveats]
        lines += [f"Limite : {text}" for text in source.caveats]
        _print("\n".join(lines))
        return
    catalogue = load_catalogue().values()
    if as_json:
        _print_json([source.model_dump(mode="json") for source in catalogue])
        return
    rows = [[source.id, source.title, source.producer, str(len(source.resources))] for source in catalogue]
    _table(["Source", "Titre", "Producteur", "Fichiers"], rows)


@app.command(cls=FrenchCommand)
def indicators(
    explain: Annotated[str | None, typer.Option("--explain", help="Décrit un indicateur.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Liste les indicateurs, ou en décrit un (formule, sources, limites)."""  # noqa: D401 - French
    from bourg.indicators.registry import get_indicator, load_indicators  # noqa: PLC0415

    if explain:
        declaration = get_indicator(explain).declaration
        if as_json:
            _print_json(declaration.model_dump(mode="json"))
            return
        _print("\n".join([
            f"{declaration.label} ({declaration.id})", f"Unité : {declaration.unit}", f"Thème : {declaration.theme}",
            f"Niveaux : {', '.join(declaration.levels)}", f"Formule : {declaration.formula}",
            f"Sources : {', '.join(declaration.sources)}", f"Ce que ce chiffre ne dit pas : {declaration.limits}",
            f"Référence : {declaration.reference}",
        ]))  # fmt: skip
        return
    known = [item.declaration for item in load_indicators().values()]
    if as_json:
        _print_json([item.model_dump(mode="json") for item in known])
        return
    _table(["Identifiant", "Indicateur", "Unité", "Thème"], [[d.id, d.label, d.unit, d.theme] for d in known])


@app.command(cls=FrenchCommand)
def portrait(
    commune: Annotated[str, typer.Argument(metavar="CODE", help="Code Insee, ou nom sans ambiguïté.")],
    output: Annotated[OutputFormat, typer.Option("--format", help="Forme de la sortie.")] = OutputFormat.TEXT,
    as_json: JsonOption = False,
) -> None:
    """Affiche le portrait d'une commune."""
    from bourg.portrait.document import make_portrait  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    observatory = open_observatory(_settings())
    document = make_portrait(observatory, observatory.index.resolve(commune).code)
    if as_json or output is OutputFormat.JSON:
        _print_json(document.to_dict())
    else:
        _print(document.to_text())


@app.command(cls=FrenchCommand)
def similar(
    commune: Annotated[str, typer.Argument(metavar="CODE", help="Code Insee, ou nom sans ambiguïté.")],
    number: Annotated[int | None, typer.Option("--number", "-k", help="Nombre de villes (15 par défaut).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Liste les villes les plus semblables par leur structure, avec les raisons."""  # noqa: D401 - French
    from bourg.portrait.comparison import similar_to  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    observatory = open_observatory(_settings())
    match = observatory.index.resolve(commune)
    found = similar_to(observatory, match.code, k=number)
    if as_json:
        _print_json(found.to_dict())
        return
    _print(f"Villes semblables à {match.label}")
    if found.message:
        _print(found.message)
    for town in found.neighbours:
        departement = observatory.index.get(town.code).departement_name
        _print(f"{town.rank:>3}. {town.code} {town.name} ({departement}) : {town.sentence}{' ◆' if town.demo else ''}")
    if found.stability is not None:
        _print(
            f"Stabilité : {found.stability:.2f} (1 = mêmes villes si l'on retire une caractéristique).".replace(
                ".", ",", 1
            )
        )


@app.command(cls=FrenchCommand)
def compare(
    communes: Annotated[
        list[str], typer.Argument(metavar="CODE...", help="De 2 à 10 codes Insee, ou noms sans ambiguïté.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Met les chiffres de plusieurs communes côte à côte."""
    from bourg.portrait.comparison import compare_towns  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    table = compare_towns(open_observatory(_settings()), communes)
    if as_json:
        _print_json(table.to_dict())
        return
    rows = [[f"{item.label}{' ◆' if item.demo else ''}", *item.texts.values()] for item in table.figures]
    _table(["Indicateur", *(f"{name} ({code})" for code, name in table.towns.items())], rows)


@app.command(cls=FrenchCommand)
def serve(
    port: Annotated[int, typer.Option(help="Port d'écoute.", min=1, max=65535)] = 8501,
    host: Annotated[str, typer.Option(help="Adresse d'écoute.")] = "localhost",
) -> None:
    """Ouvre l'observatoire dans le navigateur ; prépare la démonstration si rien n'est construit."""
    from bourg.build import build as run  # noqa: PLC0415
    from bourg.build.demonstration import ensure_demo  # noqa: PLC0415
    from bourg.store.snapshot import SnapshotStore  # noqa: PLC0415
    from bourg.web.assets import ensure_assets  # noqa: PLC0415

    settings = _settings()
    if SnapshotStore(settings.snapshots).current_id() is None:
        with StepBar(console, "Première ouverture") as bar:
            bar.advance("Bibliothèques de la carte", 0.01)
            ensure_assets(settings)
            ensure_demo(settings, lambda label, share: bar.advance(label, 0.05 + 0.4 * share))
            run(settings, demo=True, progress=lambda label, share: bar.advance(label, 0.45 + 0.55 * share))
    root = Path(__file__).resolve().parents[2]
    script = root / "app.py" if (root / "app.py").is_file() else Path(__file__).parent / "dashboard" / "app.py"
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += ["--server.port", str(port), "--server.address", host]
    _print(f"L'observatoire est ouvert : http://{host}:{port} (Ctrl+C pour l'arrêter)")
    sys.stdout.flush()
    os.chdir(script.parent)
    os.execv(command[0], command)  # noqa: S606 - our own interpreter, no shell


@app.command(cls=FrenchCommand)
def assets() -> None:
    """Installe les bibliothèques de la carte (une fois)."""
    from bourg.web.assets import ensure_assets  # noqa: PLC0415

    with StepBar(console, "Bibliothèques de la carte") as bar:
        folder = ensure_assets(_settings(), lambda label: bar.advance(label, 0.5))
    _print(f"Bibliothèques de la carte : {folder}")


@app.command(cls=FrenchCommand)
def doctor(mirror: MirrorOption = None, as_json: JsonOption = False) -> None:
    """Vérifie l'installation : dossiers, bibliothèques, instantané, fichiers trouvés."""
    from bourg.doctor import examine  # noqa: PLC0415

    checks = examine(_settings(mirror))
    if as_json:
        _print_json([check.to_dict() for check in checks])
    else:
        for check in checks:
            _print(f"[{'ok' if check.ok else 'à voir'}] {check.title} : {check.detail}")
    if any(check.blocking and not check.ok for check in checks):
        raise typer.Exit(7)


@app.command(cls=FrenchCommand)
def docs(
    check: Annotated[bool, typer.Option("--check", help="Échoue si une page n'est plus à jour.")] = False,
) -> None:
    """Réécrit les pages de documentation faites à partir du code (indicateurs, sources, commandes)."""
    from bourg.documentation import outdated_pages, write_pages  # noqa: PLC0415

    folder = Path(__file__).resolve().parents[2] / "docs"
    if check:
        if late := outdated_pages(folder):
            raise ParameterError(
                "Des pages ne sont plus à jour.", where=", ".join(late), next_step="lancez : bourg docs."
            )
        _print("La documentation est à jour.")
        return
    for name in write_pages(folder):
        _print(f"docs/{name}")


@app.command(cls=FrenchCommand)
def version() -> None:
    """Affiche la version."""
    _print(f"bourg {__version__}")


def _table(columns: list[str], rows: list[list[str]]) -> None:
    table = RichTable(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def _fail(error: BourgError, *, as_json: bool) -> int:
    if as_json:
        _print_json(error.to_dict())
    else:
        typer.echo(str(error), err=True)
    return error.exit_code


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a typed error is printed in French and gives its exit code, never a stack trace."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = _run(given)
        sys.stdout.flush()
    except (BrokenPipeError, PipeClosedError):
        # Nothing is wrong, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _run(given: list[str]) -> int:
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        result = command(args=given, prog_name="bourg", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except BourgError as error:
        return _fail(error, as_json="--json" in given)
    except NoArgsIsHelpError as error:
        typer.echo(error.format_message(), err=True)
        return 2
    except ClickException as error:
        return _fail(usage_error(error), as_json="--json" in given)
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        typer.echo("Interrompu : l'instantané en service n'a pas changé.", err=True)
    return code
