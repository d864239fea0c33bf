"""Commands on the installation: serve, assets, doctor, docs, version."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bourg import __version__
from bourg.cli.base import JsonOption, MirrorOption, app, console, print_json, print_text, settings_of
from bourg.cli.french import FrenchCommand
from bourg.cli.progress import StepBar
from bourg.errors import ParameterError
from bourg.text import count_of, format_value

if TYPE_CHECKING:
    from bourg.store.backup import BackupReport

# The repository, when the package runs from it.
_PACKAGE = Path(__file__).resolve().parents[1]
_ROOT = _PACKAGE.parents[1]


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

    settings = settings_of()
    if SnapshotStore(settings.snapshots).current_id() is None:
        with StepBar(console, "Première ouverture") as bar:
            bar.advance("Bibliothèques de la carte", 0.01)
            ensure_assets(settings)
            ensure_demo(settings, lambda label, share: bar.advance(label, 0.05 + 0.4 * share))
            run(settings, demo=True, progress=lambda label, share: bar.advance(label, 0.45 + 0.55 * share))
    script = _ROOT / "app.py" if (_ROOT / "app.py").is_file() else _PACKAGE / "dashboard" / "app.py"
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += ["--server.port", str(port), "--server.address", host]
    print_text(f"L'observatoire est ouvert : http://{host}:{port} (Ctrl+C pour l'arrêter)")
    sys.stdout.flush()
    os.chdir(script.parent)
    os.execv(command[0], command)  # noqa: S606 - our own interpreter, no shell


@app.command(cls=FrenchCommand)
def assets() -> None:
    """Installe les bibliothèques de la carte (une fois)."""
    from bourg.web.assets import ensure_assets  # noqa: PLC0415

    with StepBar(console, "Bibliothèques de la carte") as bar:
        folder = ensure_assets(settings_of(), lambda label: bar.advance(label, 0.5))
    print_text(f"Bibliothèques de la carte : {folder}")


@app.command(cls=FrenchCommand)
def doctor(mirror: MirrorOption = None, as_json: JsonOption = False) -> None:
    """Vérifie l'installation : dossiers, bibliothèques, instantané, fichiers trouvés."""
    from bourg.doctor import examine  # noqa: PLC0415

    checks = examine(settings_of(mirror))
    if as_json:
        print_json([check.to_dict() for check in checks])
    else:
        for check in checks:
            print_text(f"[{'ok' if check.ok else 'à voir'}] {check.title} : {check.detail}")
    if any(check.blocking and not check.ok for check in checks):
        raise typer.Exit(7)


@app.command(cls=FrenchCommand)
def backup(
    archive: Annotated[Path, typer.Argument(metavar="FICHIER", help="Archive à écrire : bourg-2026-11.tar.")],
    as_json: JsonOption = False,
) -> None:
    """Sauvegarde l'instantané en service, les réseaux de rues et les séries importées."""
    from bourg.store.backup import backup as write  # noqa: PLC0415

    with StepBar(console, "Sauvegarde", quiet=as_json) as bar:
        report = write(settings_of(), archive, bar.advance)
    _told(report, as_json=as_json)


@app.command(cls=FrenchCommand)
def restore(
    archive: Annotated[Path, typer.Argument(metavar="FICHIER", help="Archive faite par bourg backup.")],
    replace: Annotated[bool, typer.Option("--remplacer", help="Remplace ce qui porte le même nom.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remet une sauvegarde en service ; rien ne change avant qu'elle soit toute lue et vérifiée."""
    from bourg.store.backup import restore as put_back  # noqa: PLC0415

    with StepBar(console, "Restauration", quiet=as_json) as bar:
        report = put_back(settings_of(), archive, replace=replace, progress=bar.advance)
    _told(report, as_json=as_json)


def _told(report: BackupReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.to_dict())
        return
    print_text(
        f"{report.archive} : instantané {report.snapshot}, {count_of(report.files, 'fichier')}, "
        f"{format_value(report.size / 1e6, 'Mo', 1)}"
    )
    print_text("\n".join(f"  {entry}" for entry in report.entries))


@app.command(cls=FrenchCommand)
def docs(
    check: Annotated[bool, typer.Option("--check", help="Échoue si une page n'est plus à jour.")] = False,
) -> None:
    """Réécrit les pages de documentation faites à partir du code (indicateurs, sources, commandes)."""
    from bourg.documentation import outdated_pages, write_pages  # noqa: PLC0415

    folder = _ROOT / "docs"
    if check:
        if late := outdated_pages(folder):
            raise ParameterError(
                "Des pages ne sont plus à jour.", where=", ".join(late), next_step="lancez : bourg docs."
            )
        print_text("La documentation est à jour.")
        return
    for name in write_pages(folder):
        print_text(f"docs/{name}")


@app.command(cls=FrenchCommand)
def version() -> None:
    """Affiche la version."""
    print_text(f"bourg {__version__}")
