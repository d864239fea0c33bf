"""Commands on data: fetch, build, demo, sources."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bourg.cli.base import JsonOption, MirrorOption, app, console, print_json, print_table, print_text, settings_of
from bourg.cli.french import FrenchCommand
from bourg.cli.progress import ByteBars, StepBar

if TYPE_CHECKING:
    from bourg.build.builder import BuildReport

_ORIGINS = {"mirror": "miroir", "fetched": "téléchargé", "registry": "registre", "demo": "DÉMONSTRATION"}


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
        results = run(names, settings_of(), progress=bars.advance)
    if as_json:
        print_json([
            {"source": item.source_id, "ressource": item.resource_id, "fichier": str(item.path) if item.path else None,
             "nouveau": item.changed, "erreur": item.error.to_dict() if item.error else None}
            for item in results
        ])  # fmt: skip
    else:
        for item in results:
            state = f"échec. {item.error}" if item.error else ("téléchargé" if item.changed else "déjà à jour")
            print_text(f"{item.source_id}/{item.resource_id} : {state}")
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

    settings = settings_of(mirror)
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
        print_json(summary)
    else:
        _describe_build(snapshot.id, report)
    if report.failures:
        raise typer.Exit(4)


def _describe_build(identifier: str, report: BuildReport) -> None:
    for item in report.sources:
        read = f"{item['lignes_gardees']} lignes sur {item['lignes_lues']}"
        print_text(f"{item['source']}/{item['ressource']} ({_ORIGINS[item['origine']]}) : {read}")
        for reason, rejection in item["rejets"].items():
            print_text(f"    écarté : {rejection['nombre']} × {reason} (ex. {' ; '.join(rejection['exemples'][:2])})")
        for what, count in item["reparations"].items():
            print_text(f"    réparé : {count} × {what}")
    for failure in report.failures:
        told = [failure[part] for part in ("quoi", "ou", "pourquoi", "que_faire") if failure[part]]
        print_text(f"{failure['source']}/{failure['ressource']} : ARRÊTÉE. {' — '.join(told)}")
    for table, moves in report.moves.items():
        unmoved = [item for move in moves.values() for item in move.get("non_deplacees", [])]
        if unmoved:
            codes = ", ".join(item["code"] for item in unmoved[:8]) + ("…" if len(unmoved) > 8 else "")
            print_text(f"{table} : {len(unmoved)} codes non placés dans la géographie de référence ({codes})")
    print_text(f"{len(report.recomputed)} étapes calculées, {len(report.reused)} réutilisées.")
    print_text(f"Instantané {identifier} en service.")


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
        print_text(str(write_sample(sample, settings_of())))
        return
    # A demonstration is the same for everybody: a mirror of the environment is not read here.
    settings = replace(settings_of(), mirror=None)
    with StepBar(console, "Démonstration", quiet=as_json) as bar:
        ensure_demo(settings, lambda label, share: bar.advance(label, 0.45 * share), force=force)
        snapshot, report = run(
            settings, demo=True, progress=lambda label, share: bar.advance(label, 0.45 + 0.55 * share)
        )
    if as_json:
        print_json({"instantane": snapshot.id, "dossier": str(snapshot.folder), **report.to_dict()})
    else:
        print_text(f"Instantané de démonstration {snapshot.id} en service. Ouvrez-le avec : bourg serve")


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
            print_json(source.model_dump(mode="json"))
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
        print_text("\n".join(lines))
        return
    catalogue = load_catalogue().values()
    if as_json:
        print_json([source.model_dump(mode="json") for source in catalogue])
        return
    rows = [[source.id, source.title, source.producer, str(len(source.resources))] for source in catalogue]
    print_table(["Source", "Titre", "Producteur", "Fichiers"], rows)
