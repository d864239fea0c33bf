"""Blocks of the access page around its map: warnings, curve, places not served, quarter of an hour, method."""

from __future__ import annotations

import json
import re

import polars as pl
import streamlit as st

from bourg.access.network.graph import MODE_LABELS, MODES
from bourg.access.places.crosswalk import family
from bourg.access.study import LIMIT_MIN
from bourg.dashboard import layout
from bourg.dashboard.views.acces_data import Answers, Desk
from bourg.dashboard.views.acces_state import state
from bourg.portrait.access_files import curve_spec, unserved_csv
from bourg.portrait.access_html import (
    QuarterCard,
    curve_table,
    people_text,
    quarter_cards,
    share_text,
    unserved_table,
    wrap,
)
from bourg.text import NBSP, count_of, format_date, format_value


def is_demo(desk: Desk, answers: Answers) -> bool:
    """Tell whether streets, places of the inhabitants or facilities are generated."""
    return desk.access.demo or bool(answers.facilities["demo"].any())


def warnings(desk: Desk) -> None:
    """Say what the network or the population leaves out."""
    share = desk.access.outside_share
    if share:
        st.warning(
            f"{share_text(share)} des habitants sont hors du réseau de rues installé, ou loin de "
            "toute rue : leur temps est inconnu, ce n'est pas un temps long.",
            icon=":material/warning:",
        )
    covered = desk.covered_area
    if covered is not None and covered < 0.98:
        st.info(
            f"Le réseau « {layout.plain(desk.access.installed.name)} » ne couvre que {share_text(covered)} de la "
            "surface de la commune. Les équipements et les rues au-delà sont ignorés : des temps réels peuvent être "
            "plus courts. Pour tout couvrir, installez l'extrait de la région : bourg network build FICHIER.",
            icon=":material/crop:",
        )
    if set(desk.access.population.table["method"]) == {"commune"}:
        st.info(
            "Un seul point représente tous les habitants : la mairie. Les temps sont donc ceux de la mairie, sans "
            "écart entre les quartiers. Les carreaux de 200 m de l'Insee donneraient mieux.",
            icon=":material/person_pin_circle:",
        )


def nothing_found(before: Answers) -> None:
    """Say that no facility of the family is known, or would stay."""
    wanted = family(state().family)
    if before.facilities.height:
        text = f"Avec ces changements, il ne resterait aucun équipement « {wanted.label} » dans l'emprise du réseau."
    else:
        text = (
            f"Aucun équipement « {wanted.label} » n'est connu dans l'emprise du réseau de rues. Ce n'est pas la preuve "
            "qu'il n'y en a pas : les sources lues peuvent l'ignorer. Aucun temps n'est donc affiché ; sur la carte, "
            "vous pouvez en ouvrir un pour voir ce qu'il changerait."
        )
    st.info(text, icon=":material/info:")


def curve(threshold: int, before: Answers, after: Answers, mark: str) -> None:
    """Draw the share of the inhabitants by minutes for the three modes, and its table."""
    wanted = after.reaches[MODES[0]].family
    st.header(f"Part des habitants selon les minutes{mark}", divider="gray", anchor="courbe")
    if after.curves["share"].null_count() == after.curves.height:
        st.info("Aucun temps n'est connu : il n'y a pas de courbe.", icon=":material/info:")
        return
    changed = before is not after
    spec = curve_spec(after.curves, wanted.label, threshold, before=before.curves if changed else None)
    st.vega_lite_chart(spec, width="stretch", key="acces-courbe")
    thin = " Traits fins : sans les changements essayés." if changed else ""
    st.caption(
        f"Part des habitants à chaque nombre de minutes ou moins de l'équipement « {layout.plain(wanted.label)} » le "
        f"plus proche. Trait vertical plein : le seuil choisi.{thin}"
    )
    st.html(wrap(curve_table(after.curves)))


def unserved(desk: Desk, after: Answers, *, demo: bool) -> None:
    """List the places that are not served in time, with their files."""
    now = state()
    reach = after.reaches[now.mode]
    mark = f"{NBSP}{layout.DEMO_MARK}" if demo else ""
    title = "Lieux non desservis, ou de temps inconnu" if reach.summary["unknown"] else "Lieux non desservis"
    st.header(f"{title}{mark}", divider="gray", anchor="non-desservis")
    table = desk.unserved(reach, now.threshold)
    limit = format_value(now.threshold, "min")
    if table.is_empty():
        st.success(f"Aucun lieu habité n'est à plus de {limit} {MODE_LABELS[now.mode]}.", icon=":material/check:")
    else:
        unknown = float(table["unsnapped"].sum())
        late = float(table["inhabitants"].sum()) - unknown
        told = [
            f"{people_text(late)} à plus de {limit} {MODE_LABELS[now.mode]}, ou sans chemin (entourés sur la carte)"
        ]
        if unknown:
            told.append(f"{people_text(unknown)} dont le temps est inconnu (hachurés), ce qui n'est ni près ni loin")
        st.markdown(f"{' ; '.join(told)}.")
        st.html(wrap(unserved_table(table, LIMIT_MIN, demo=demo)))
        st.caption(
            "Lieux-dits et quartiers nommés par OpenStreetMap : chaque point va au plus proche." if desk.has_names else
            "Le réseau ne nomme pas assez de lieux-dits ici : les lieux sont dits par leur direction et leur distance "
            "à vol d'oiseau depuis la mairie."
        )  # fmt: skip
    stem = f"acces-{desk.code}-{now.family}-{now.mode}"
    with st.container(horizontal=True):
        st.download_button(
            "Lieux non desservis (CSV)", unserved_csv(table, threshold=now.threshold, limit=LIMIT_MIN, demo=demo),
            f"{stem}-non-desservis.csv", "text/csv", icon=":material/download:", key="acces-csv", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "Habitants et équipements (GeoJSON)",
            lambda: json.dumps(desk.access.to_geojson(reach, after.facilities), ensure_ascii=False).encode(),
            f"{stem}.geojson", "application/geo+json", icon=":material/download:", key="acces-geojson",
            on_click="ignore",
        )  # fmt: skip


def quarter(desk: Desk) -> None:
    """Show the score of the « ville du quart d'heure » by mode."""
    demo = desk.access.demo or bool(desk.access.facilities.table["demo"].any())
    st.header("La ville du quart d'heure", divider="gray", anchor="quart-d-heure")
    found = desk.quarter()
    if not found:
        st.info("Aucun équipement des familles du quart d'heure n'est connu ici.", icon=":material/info:")
        return
    cards = [
        QuarterCard(mode, item.score, item.families, item.declared, item.unknown, item.shares)
        for mode, item in found.items()
    ]
    st.html(wrap(quarter_cards(cards, demo=demo)))
    st.caption(
        "Score : part des familles d'équipements qu'un habitant atteint en 15 min, en moyenne sur les habitants. Une "
        "famille dont aucune source ne dit rien n'entre pas dans le score. La liste des familles est un choix de Bourg."
    )


def _when(date: str) -> str:
    """Return `` du 9 septembre 2019``, `` de juillet 2021`` when only the month is known."""
    if re.fullmatch(r"\d{4}-\d{2}", date):
        month = format_date(f"{date}-02").split(maxsplit=1)[1]
        return f" {'d’' if month[0] in 'ao' else 'de '}{month}".replace("’", "'")
    return f" du {format_date(date[:10])}" if date else ""


def method(desk: Desk) -> None:
    """Say how the times are computed, folded."""
    network = desk.access.installed
    manifest = network.network.manifest
    with st.expander("Comment ces temps sont calculés", icon=":material/straighten:"):
        lines = [
            f"Rues : réseau « {network.name} »{_when(network.date)}. {manifest['licence']}."
            + (f" {layout.DEMO_MARK} Rues fabriquées, elles ne disent rien des rues réelles." if network.demo else ""),
            f"Habitants : {desk.access.population.sentence()}",
            "Temps : de l'habitant à la rue, par les rues, de la rue à l'équipement, sans attente ni stationnement.",
            f"Recherche limitée à {LIMIT_MIN:.0f} min : au-delà, le temps est « plus de {LIMIT_MIN:.0f} min ».",
            *(str(item) for item in manifest["warnings"]),
        ]
        rejected = desk.access.facilities.rejected.filter(pl.col("family") == state().family)
        if rejected.height:
            lines.append(
                f"{count_of(rejected.height, 'équipement')} de cette famille sans place sûre dans les sources."
            )
        st.markdown("\n".join(f"- {layout.plain(line)}" for line in lines))
