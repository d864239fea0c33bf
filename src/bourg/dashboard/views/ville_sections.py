"""Sections of a town's page: what sets it apart, towns like it, its cultural places, where the figures come from."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.views.ville_identity import town_map
from bourg.indicators.engine import USABLE
from bourg.portrait.document import Portrait
from bourg.portrait.html import Neighbouring, counts_table, neighbours_table, sources_list
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import unbroken
from bourg.text import count_of, format_number, plural

_SHOWN = 5


def apart(portrait: Portrait, comparator: str) -> None:
    """Show what makes the town unlike the communes it is compared with, in sentences made from the values."""
    st.header(f"Ce qui distingue {portrait.identity.name}", anchor="distingue", divider="gray")
    found = portrait.specificities[comparator]
    if found.message:
        st.info(unbroken(found.message), icon=":material/info:")
    lines = [f"- {unbroken(item.sentence)}{f' {layout.DEMO_MARK}' if item.demo else ''}" for item in found.traits]
    if lines:
        with st.container(key="ville-distingue"):
            st.markdown("\n".join(lines))
        st.caption("Un écart décrit, il n'explique pas : aucune cause n'est affirmée ici.")


def similar(observatory: Observatory, portrait: Portrait, kept: dict[str, str]) -> None:
    """Show the type of the town and the towns most alike by their structure, with the reasons of each.

    Parameters
    ----------
    kept
        What the address of the page says besides the town: the page of another town opens on the same choices.
    """
    st.header("Villes semblables", anchor="semblables", divider="gray")
    identity, found = portrait.identity, portrait.similar
    if (profile := portrait.profile) is not None:
        with st.container(border=True):
            st.markdown(f"**Type de petite ville {profile.id} : {unbroken(layout.plain(profile.title))}**")
            st.markdown(unbroken(layout.plain(profile.description)))
    if found is None:
        st.info(
            "Les villes semblables ne se calculent pas : aucune caractéristique de structure n'a de valeur dans cet "
            "instantané.",
            icon=":material/info:",
        )
        return
    if found.message:
        st.info(unbroken(found.message), icon=":material/info:")
    if not found.neighbours:
        return
    rows = [
        Neighbouring(
            name=f"{town.name} ({observatory.index.get(town.code).departement_name})",
            reasons=town.sentence,
            demo=town.demo,
            page=f"/ville?{urlencode({'commune': town.code, **kept})}",
            compare=compare_address([identity.code, town.code]),
        )
        for town in found.neighbours
    ]
    st.html(neighbours_table("Les villes les plus proches par leur structure", rows, shown=_SHOWN))
    nearest = [identity.code, *(town.code for town in found.neighbours[:_SHOWN])]
    st.link_button(
        f"Comparer {identity.name} aux {_SHOWN} premières" if len(nearest) > _SHOWN else f"Comparer {identity.name}",
        compare_address(nearest),
        icon=":material/table_chart:",
    )
    if found.stability is not None:
        st.caption(
            f"Stabilité de la liste : {format_number(found.stability, 2)} (1 : les mêmes villes quelle que soit la "
            "caractéristique retirée). La ressemblance porte sur la population, les âges et le logement, pas sur les "
            "résultats montrés."
        )


def compare_address(codes: list[str]) -> str:
    """Return the address of the comparison of some towns."""
    return f"/comparer?{urlencode([('commune', code) for code in codes])}"


def places(observatory: Observatory, portrait: Portrait) -> None:
    """Show the cultural places: the map, and their number by type."""
    st.header("Lieux culturels", anchor="lieux", divider="gray")
    left, right = st.columns([1, 1.3], gap="large")
    with left:
        _places_by_type(portrait)
    with right:
        town_map(observatory, portrait.identity)


def _places_by_type(portrait: Portrait) -> None:
    counts = portrait.places_by_type
    if counts is None:
        st.info(
            "La liste de lieux de cet instantané ne couvre pas cette commune : ce n'est pas un zéro.",
            icon=":material/info:",
        )
        return
    if not counts:
        st.info("Aucun lieu culturel n'est recensé dans cette commune.", icon=":material/info:")
        return
    demo = portrait.sheets["culture.types_count"].demo
    st.html(
        counts_table(f"Lieux culturels recensés à {portrait.identity.name}", counts, head="Type de lieu", demo=demo)
    )


def sources(portrait: Portrait) -> None:
    """Say where the figures of the page come from, and how many are missing here."""
    st.header("Sources et limites", anchor="sources", divider="gray")
    sheets = list(portrait.sheets.values())
    usable = [sheet for sheet in sheets if sheet.status in USABLE]
    absent, demo = len(sheets) - len(usable), sum(sheet.demo for sheet in usable)
    parts = [f"{count_of(len(usable), 'chiffre')} {plural(len(usable), 'a', 'ont')} une valeur ici"]
    if absent:
        parts.append(f"{format_number(absent)} n'en {plural(absent, 'a', 'ont')} pas")
    if demo:
        parts.append(f"{count_of(demo, 'valeur')} {plural(demo, 'est', 'sont')} de démonstration, {layout.DEMO_MARK}")
    st.markdown(
        f"{', '.join(parts)}. La fiche de chaque chiffre donne sa formule, sa source et ce qu'il ne dit pas. "
        "Une valeur manquante n'est jamais un zéro."
    )
    st.html(sources_list(usable))
    st.page_link(layout.page("sources"), label="Toutes les sources et la méthode", icon=":material/menu_book:")
