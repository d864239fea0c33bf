"""Lists of the page of energy as HTML: one installation, the sites, the wind farms, what has no point on a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from bourg.portrait.html import DEMO_MARK, sources_list
from bourg.portrait.side_by_side import scrolling
from bourg.portrait.themes.energy_map import mast_text, produced_text, site_name, sites_of
from bourg.portrait.themes.energy_markup import shown
from bourg.portrait.themes.energy_model import EnergyPage, sector_label, usable
from bourg.portrait.themes.energy_words import energy_text, power_text, weight_text
from bourg.store.spreadsheets import safe_text
from bourg.text import count_of, format_number

# What a page can hold, the export has them all; and what it shows before it is asked for more.
MOST_ROWS, FIRST_ROWS = 200, 12


def _rows(lines: Sequence[Sequence[str]]) -> str:
    return "".join(
        f'<tr><th scope="row">{shown(cells[0])}</th>{"".join(f"<td>{shown(text)}</td>" for text in cells[1:])}</tr>'
        for cells in lines
    )


def _table(title: str, heads: Sequence[str], lines: Sequence[Sequence[str]], *, demo: bool) -> str:
    columns = "".join(f'<th scope="col">{shown(name)}</th>' for name in heads)
    mark = f" {DEMO_MARK}" if demo else ""
    table = (
        f"<table><caption>{shown(title)}{mark}</caption><thead><tr>{columns}</tr></thead>"
        f"<tbody>{_rows(lines)}</tbody></table>"
    )
    return scrolling(table, f"{title}, tableau qui défile")


def installation_card(lines: Sequence[tuple[str, str]], *, demo: bool) -> str:
    """Return the sheet of one installation (:func:`bourg.portrait.themes.energy_map.installation_lines`)."""
    title = lines[0][1]
    items = "".join(f"<dt>{shown(name)}</dt><dd>{shown(text)}</dd>" for name, text in lines[1:])
    mark = f" {DEMO_MARK}" if demo else ""
    return f'<div class="installation"><h3>{shown(title)}{mark}</h3><dl>{items}</dl></div>'


def sites_block(page: EnergyPage, names: Mapping[str, str], code: str | None = None) -> str:
    """Return the sites of the territory, or of one commune, as a table: the text of the map."""
    sites = sites_of(page, code)
    if sites.is_empty():
        return '<p class="note">Aucun site de 36 kW et plus n’est rattaché à ce territoire.</p>'
    lines = [
        (
            site_name(row), sector_label(row["sector"]), names.get(row["code"], row["code"]),
            power_text(row["power_kw"]),
            str(row["commissioning_date"].year) if row["commissioning_date"] else "non publiée", produced_text(row),
        )
        for row in sites.head(MOST_ROWS).iter_rows(named=True)
    ]  # fmt: skip
    where = page.place.name if code is None else names.get(code, code)
    heads = ("Site", "Filière", "Commune", "Puissance", "Mise en service", "Injecté en douze mois")
    table = _table(f"Sites de 36 kW et plus, {where}", heads, lines, demo=page.register.demo)
    if sites.height <= MOST_ROWS:
        return table
    return (
        f'{table}<p class="note">Les {MOST_ROWS} plus puissants sur {format_number(sites.height)} : le tableau complet '
        "se télécharge.</p>"
    )


def farms_block(page: EnergyPage) -> str:
    """Return the wind farms with their yearly production; the share of a mast is an estimate, and says so."""
    if page.register.kind == "none":
        return '<p class="note">Aucun fichier lu ne dit s’il y a des éoliennes ici : ce n’est pas un zéro.</p>'
    if page.farms.is_empty():
        where = "l’extrait du registre" if page.register.kind == "sites" else "le registre"
        return f'<p class="note">Aucun parc éolien n’est rattaché à ce territoire dans {where}.</p>'
    farms = page.farms.sort("power_kw", "installation_id", descending=[True, False], nulls_last=True)
    lines = [
        (
            str(row["name"] or "Parc éolien sans nom publié"), str(row["commune"] or row["code"]),
            power_text(row["power_kw"]), format_number(row["masts"]) if row["masts"] else "non publié",
            str(row["commissioning_date"].year) if row["commissioning_date"] else "non publiée",
            produced_text(row),
            mast_text(row).partition(" (")[0],
        )
        for row in farms.head(MOST_ROWS).iter_rows(named=True)
    ]  # fmt: skip
    heads = ("Parc", "Commune", "Puissance", "Mâts", "Mise en service", "Injecté en douze mois",
             "Part d’un mât (estimation)")  # fmt: skip
    more = f" Les {MOST_ROWS} plus puissants sont montrés." if farms.height > MOST_ROWS else ""
    shown_first, rest = lines[:FIRST_ROWS], lines[FIRST_ROWS:]
    title = f"Parcs éoliens, {page.place.name}"
    folded = ""
    if rest:
        told = count_of(len(rest), "autre parc, moins puissant", "autres parcs, moins puissants")
        folded = f"<details><summary>{told}</summary>"
        folded += f"{_table(f'{title} (suite)', heads, rest, demo=page.register.demo)}</details>"
    return (
        _table(title, heads, shown_first, demo=page.register.demo)
        + folded
        + '<p class="note">La production est publiée par parc, ou par point de raccordement : une ligne n’est pas un '
        "mât. La part d’un mât est une moyenne, la production du parc divisée par le nombre de mâts : deux mâts d’un "
        f"parc ne tournent pas de la même façon.{more}</p>"
    )


def apart_block(page: EnergyPage) -> str:
    """Return what has no point on a map: sums of small installations, lines without a commune."""
    register = page.register
    if register.kind == "none":
        return ""
    if register.kind == "sites":
        return (
            '<p class="note">Les installations de moins de 36 kW ne sont pas dans cet extrait : leur nombre et leur '
            "puissance sont inconnus ici.</p>"
        )
    reasons = (
        ("Moins de 36 kW, additionnées par commune", register.small),
        ("Sans commune dans le registre", register.unplaced),
        ("Commune sans centre connu", page.lost),
    )
    lines = [
        _sum_line(why, sector_label(sector), rows.filter(pl.col("sector") == sector))
        for why, rows in reasons
        for sector in sorted(rows["sector"].unique().to_list())
    ]
    note = (
        '<p class="note">Le registre publie les installations de moins de 36 kW par sommes : elles sont dans la '
        "commune, sans adresse ni date. Elles comptent dans les totaux et n’ont pas de point sur la carte.</p>"
    )
    near = ""
    if page.place.level in {"commune", "epci"} and register.near.height:
        told = weight_text(register.near["n"].to_list(), register.near["power_kw"].to_list())
        near = f'<p class="note">{shown(f"Dans le département, sans commune et non comptées ici : {told}.")}</p>'
    if not lines:
        none = (
            "Toutes les installations connues ont un point sur la carte."
            if page.points.height
            else "Aucune installation."
        )
        return f'<p class="note">{none}</p>{near}'
    heads = ("Pourquoi", "Filière", "Installations", "Puissance", "Injecté en douze mois")
    return _table(f"Hors de la carte, {page.place.name}", heads, lines, demo=register.demo) + note + near


def _sum_line(why: str, sector: str, part: pl.DataFrame) -> tuple[str, ...]:
    power = float(part["power_kw"].sum()) if part["power_kw"].null_count() == 0 else None
    silent = part.filter(pl.col("year_injected_kwh").is_null())
    energy = energy_text(float(part["year_injected_kwh"].sum()) / 1000)
    if silent.height == part.height:
        energy = "secret" if (silent["energy_status"] == "secret").all() else "non publiée"
    elif silent.height:
        energy = f"au moins {energy}"
    return why, sector, format_number(int(part["n"].sum())), power_text(power), energy


def sites_csv(page: EnergyPage, names: Mapping[str, str]) -> str:
    """Return every site of the territory as CSV (UTF-8, commas), statuses included."""
    columns = {
        "installation_id": "identifiant", "name": "nom", "code": "code_commune", "commune": "commune",
        "sector_label": "filiere", "technology": "technologie", "power_kw": "puissance_kw", "n": "installations",
        "masts": "mats", "commissioning_date": "mise_en_service", "year_injected_kwh": "injecte_kwh",
        "energy_status": "statut_injecte", "mast_kwh": "part_d_un_mat_kwh_estimation", "place": "precision_du_lieu",
    }  # fmt: skip
    rows = pl.concat([page.points, page.lost.select(page.points.columns[:-3])], how="diagonal")
    named = rows.with_columns(
        commune=pl.col("code").replace_strict(dict(names), default=None, return_dtype=pl.String),
        demonstration=pl.lit("oui" if page.register.demo else "non"),
    )
    told = named.select(*(pl.col(old).alias(new) for old, new in columns.items()), "demonstration")
    texts = [name for name, kind in told.schema.items() if kind == pl.String]
    return told.with_columns(safe_text(pl.col(name)).alias(name) for name in texts).write_csv()


def sources_block(page: EnergyPage) -> str:
    """Return the sources of the figures that have a value, and that of the sites."""
    told = sources_list(sheet for sheet in page.sheets.values() if usable(sheet))
    if page.register.kind == "none":
        return told
    mark = f" {DEMO_MARK}" if page.register.demo else ""
    return f'{told}<p class="note">{shown(f"Installations : {page.register.source}.")}{mark}</p>'
