"""Commands on shops: the shops of a town from several sources, footfall files."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bourg.cli.base import JsonOption, TownArgument, app, print_json, print_table, print_text, settings_of
from bourg.cli.french import FrenchCommand
from bourg.errors import ParameterError
from bourg.text import NBSP, count_of, format_date, format_number

if TYPE_CHECKING:
    import polars as pl

    from bourg.commerce.footfall import Footfall
    from bourg.commerce.footfall_store import FootfallStore
    from bourg.portrait.observatory import Observatory

_HELP_LIST = "pour voir les séries gardées : bourg footfall --commune CODE --list."


@app.command(cls=FrenchCommand)
def shops(
    commune: TownArgument,
    osm: Annotated[
        Path | None, typer.Option("--osm", metavar="FICHIER", help="Extrait OpenStreetMap (.osm.pbf, .osm, .osm.gz).")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Tableau CSV (points-virgules).")] = False,
    as_geojson: Annotated[bool, typer.Option("--geojson", help="Points en GeoJSON.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Liste les commerces d'une commune, toutes sources rapprochées, avec leur classe et ses preuves."""  # noqa: D401 - French
    import shapely  # noqa: PLC0415

    from bourg.commerce.osm import shops_of_extract  # noqa: PLC0415
    from bourg.commerce.town_shops import town_shops  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    if sum((as_csv, as_geojson, as_json)) > 1:
        raise ParameterError("Une seule forme de sortie à la fois.", where="--csv, --geojson, --json")
    observatory = open_observatory(settings_of())
    match = observatory.index.resolve(commune)
    notes: list[str] = []
    sirene = _table(observatory, "shops", match.code, notes, "Sirene", mixed=osm is not None)
    banco = _table(observatory, "open_shops", match.code, notes, "BANCO", mixed=True)
    read = None
    if osm is not None:
        outlines = observatory.snapshot.table("outlines")
        wkb = outlines.filter(code=match.code).collect()["wkb"]
        if wkb.is_empty():
            raise ParameterError("Le contour de cette commune n'est pas connu.", where=match.code)
        read = shops_of_extract(osm, shapely.from_wkb(wkb[0]), code=match.code)
    if sirene is None and banco is None and read is None:
        raise ParameterError(
            f"Aucune source ne décrit les commerces de {match.label}.",
            next_step="donnez un extrait OpenStreetMap : --osm FICHIER, ou installez un fichier Sirene.",
        )
    found = town_shops(match.code, sirene=sirene, osm=read, banco=banco, notes=notes)
    if as_json:
        print_json(found.to_dict())
        return
    if as_geojson:
        print_text(json.dumps(found.to_geojson(), ensure_ascii=False))
        return
    if as_csv:
        typer.echo(found.to_csv(), nl=False)
        return
    print_text(f"Commerces de {match.label}\n" + "\n".join(found.sentences()))
    print_table(
        ["Nom", "Type", "Classe", "Preuve", "Sources"],
        [[row["nom"] or "–", row["type"], row["classe"], row["preuve"], row["sources"]] for row in found.rows()],
    )


def _table(
    observatory: Observatory, name: str, code: str, notes: list[str], label: str, *, mixed: bool
) -> pl.DataFrame | None:
    """Return the rows of a town, ``None`` where the table says nothing of it; generated rows never meet real ones."""
    if not observatory.covers(name, code):
        return None
    if observatory.table_info(name)["demo"]:
        if mixed:
            notes.append(f"les commerces de {label} de cet instantané sont générés (◆) et ne sont pas mêlés à la carte")
            return None
        notes.append(f"◆ commerces de {label} générés pour la démonstration")
    return observatory.snapshot.table(name).filter(code=code).collect()


@app.command(cls=FrenchCommand)
def footfall(
    file: Annotated[
        Path | None, typer.Argument(metavar="FICHIER", help="Comptages : CSV, zip ou tableur (docs/commerce.md).")
    ] = None,
    commune: Annotated[
        str | None, typer.Option("--commune", metavar="CODE", help="Garde la série pour cette commune.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--fuseau", help="Fuseau des heures écrites sans décalage (Europe/Paris).")
    ] = None,
    counters: Annotated[
        list[str] | None,
        typer.Option("--compteur", metavar="ID", help="Un compteur ; plusieurs s'additionnent (tous)."),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--compare", metavar="DU/AU", help="Première période : 2024-05-01/2024-05-31.")
    ] = None,
    second: Annotated[str | None, typer.Option("--avec", metavar="DU/AU", help="Seconde période.")] = None,
    holidays: Annotated[bool, typer.Option("--feries", help="Compte aussi les jours fériés.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Liste les séries gardées de la commune.")] = False,
    remove: Annotated[
        str | None, typer.Option("--remove", metavar="SERIE", help="Retire une série gardée de la commune.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Lit un fichier de fréquentation, dit ce qu'il contient, et le garde pour une commune si on le demande."""
    from bourg.commerce.footfall import PARIS  # noqa: PLC0415
    from bourg.commerce.footfall_store import FootfallStore  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415
    from bourg.sources.readers.footfall import read_footfall, timezone_of  # noqa: PLC0415

    settings = settings_of()
    code = open_observatory(settings).index.resolve(commune).code if commune else None
    store = FootfallStore(settings.home)
    if listing or remove:
        _kept(store, code, remove, as_json=as_json)
        return
    if file is None:
        raise ParameterError("Aucun fichier de comptages n'est donné.", next_step=_HELP_LIST)
    found = read_footfall(file, timezone=zone or (timezone_of(code) if code else PARIS))
    told = _told(found, counters or None, first, second, holidays=holidays)
    if code is not None:
        told["serie"] = store.add(code, found).id
    if as_json:
        print_json(told)
        return
    print_text("\n".join(found.answer.sentences()))
    _print_counters(told)
    for text in told["phrases"]:
        print_text(text)
    if code is not None:
        print_text(f"Série gardée pour {code}{NBSP}: {told['serie']}")


def _kept(store: FootfallStore, code: str | None, remove: str | None, *, as_json: bool) -> None:
    if code is None:
        raise ParameterError("La commune n'est pas donnée.", where="--commune", next_step=_HELP_LIST)
    if remove:
        store.remove(code, remove)
    series = store.listing(code)
    if as_json:
        print_json([{"serie": item.id, "code": item.code, **item.answer.to_dict()} for item in series])
        return
    if not series:
        print_text("Aucune série de fréquentation n'est gardée pour cette commune.")
        return
    rows = [[item.id, item.answer.file, count_of(item.answer.rows_kept, "relevé")] for item in series]
    print_table(["Série", "Fichier", "Relevés"], rows)


def _period(text: str, option: str) -> tuple[dt.date, dt.date]:
    start, _, end = text.partition("/")
    try:
        return dt.date.fromisoformat(start), dt.date.fromisoformat(end)
    except ValueError as error:
        raise ParameterError(
            f"Cette période n'est pas comprise : « {text[:60]} ».", where=option,
            next_step="écrivez deux dates : 2024-05-01/2024-05-31.",
        ) from error  # fmt: skip


def _told(
    found: Footfall, chosen: list[str] | None, first: str | None, second: str | None, *, holidays: bool
) -> dict[str, Any]:
    """Return what a file says: counters, busiest hour, and the comparison asked."""
    from bourg.commerce.footfall import (  # noqa: PLC0415
        FootfallError,
        compare,
        profile,
        public_holidays,
        summaries,
        total,
    )

    counters = summaries(found)
    days = [item.first for item in counters] + [item.last for item in counters]
    sentences = [total(found, min(days), max(days), counters=chosen).sentence]
    week: list[dict[str, object]] | None = None
    try:
        hours = profile(found, counters=chosen)
        week = hours.table.to_dicts()
        sentences.append(hours.sentence)
    except FootfallError as error:
        sentences.append(f"{error.what} {error.next_step[:1].upper()}{error.next_step[1:]}")
    told: dict[str, Any] = {
        "reponse": found.answer.to_dict(),
        "compteurs": [
            {
                "compteur": item.counter, "lieu": item.place, "sens": list(item.directions),
                "premier_jour": item.first.isoformat(), "dernier_jour": item.last.isoformat(), "pas_min": item.step_min,
                "passages": item.total, "heures_mesurees": item.measured_hours, "couverture": item.coverage,
                "trous": item.gaps,
            }
            for item in counters
        ],
        "profil": week,
    }  # fmt: skip
    if (first is None) != (second is None):
        raise ParameterError("Il faut deux périodes pour comparer.", where="--compare, --avec")
    if first is not None and second is not None:
        one, two = _period(first, "--compare"), _period(second, "--avec")
        years = range(min(one[0], two[0]).year, max(one[1], two[1]).year + 1)
        result = compare(found, one, two, counters=chosen, without=() if holidays else public_holidays(years))
        told["comparaison"] = {
            "jours": result.table.to_dicts(), "premiere": result.first_mean, "seconde": result.second_mean,
            "evolution": result.change, "jours_incomplets": list(result.incomplete),
            "jours_feries_ecartes": list(result.holidays),
        }  # fmt: skip
        sentences.append(result.sentence)
    told["phrases"] = sentences
    return told


def _print_counters(told: dict[str, Any]) -> None:
    rows = [
        [
            item["compteur"], item["lieu"], format_date(item["premier_jour"]), format_date(item["dernier_jour"]),
            format_number(item["passages"]), f"{format_number(item['couverture'], 1)}{NBSP}%",
        ]
        for item in told["compteurs"]
    ]  # fmt: skip
    print_table(["Compteur", "Lieu", "Du", "Au", "Passages", "Temps mesuré"], rows)
