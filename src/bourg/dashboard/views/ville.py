"""The page of a town: who it is, its key figures, every figure by theme, its cultural places."""

from __future__ import annotations

import json

import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.map_component import culture_map
from bourg.dashboard.state import commune_of_address
from bourg.errors import BourgError
from bourg.portrait.comparison import sets_apart, similar_to
from bourg.portrait.document import Identity, Portrait, make_portrait
from bourg.portrait.html import counts_table, key_figure_cards, neighbours_table, theme_table
from bourg.portrait.observatory import Observatory
from bourg.text import count_of, format_date, format_number, format_value

_COMPARATORS = {
    "size_class": "Communes de même taille",
    "similar": "Villes semblables",
    "departement": "Département",
    "pvd": "Petites Villes de demain",
}


@st.cache_data(max_entries=256, show_spinner=False)
def _portrait(snapshot_id: str, code: str, _observatory: Observatory) -> Portrait:
    del snapshot_id  # part of the cache key
    return make_portrait(_observatory, code)


def render() -> None:
    """Draw the page."""
    observatory = layout.observatory()
    try:
        code = commune_of_address(observatory) or st.session_state.get("ville-code")
    except BourgError as error:
        layout.show_error(error)
        code = None
    if code is None:
        _welcome(observatory)
        return
    st.session_state["ville-code"] = code
    if st.query_params.get("commune") != code:
        st.query_params["commune"] = code
    portrait = _portrait(observatory.snapshot.id, code, observatory)
    identity = portrait.identity
    title, search = st.columns([2.2, 1], gap="large", vertical_alignment="bottom")
    title.title(identity.name)
    with search:
        layout.town_search("ville", _choose, label="Changer de ville")
    st.markdown(portrait.headline())
    _links(portrait)
    left, right = st.columns([1, 1.5], gap="large")
    with left:
        _identity(identity)
    with right:
        _map(observatory, identity)
    st.header("Chiffres clés", divider="gray")
    st.html(key_figure_cards(portrait.key_figures))
    st.header("Tous les chiffres, par thème", divider="gray")
    themes = portrait.themes
    for tab, (label, sheets) in zip(st.tabs(list(themes)), themes.items(), strict=True):
        with tab:
            st.html(theme_table(label, sheets))
    _places(portrait)
    _apart(observatory, identity)
    _similar(observatory, identity)


def _choose(code: str) -> None:
    st.session_state["ville-code"] = code
    st.query_params["commune"] = code
    st.session_state["ville-recherche"] = ""


def _welcome(observatory: Observatory) -> None:
    st.title("Le portrait d'une ville")
    st.write(
        "Cherchez votre commune : son identité, ses chiffres clés comparés aux communes de même taille, "
        "ses lieux culturels."
    )
    with st.container(width=560):
        layout.town_search("ville", _choose)
    if observatory.pvd:
        mark = f" {layout.DEMO_MARK}" if observatory.table_info("pvd")["demo"] else ""
        st.caption(
            f"{count_of(len(observatory.pvd), 'commune')} du programme Petites Villes de demain{mark}. Quelques-unes :"
        )
        names = dict(observatory.communes.select("code", "name").iter_rows())
        with st.container(horizontal=True):
            for code in list(observatory.pvd)[:: max(1, len(observatory.pvd) // 6)][:6]:
                st.button(names[code], key=f"exemple-{code}", on_click=_choose, args=(code,))


def _links(portrait: Portrait) -> None:
    code = portrait.identity.code
    # The filters chosen on the map are kept: only the town changes.
    address = {**st.session_state.get("carte-adresse", {}), "commune": code}
    content = json.dumps(portrait.to_dict(), ensure_ascii=False, indent=1)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            layout.page("carte"), label="Voir sur la carte culturelle", icon=":material/map:", query_params=address
        )
        st.download_button(
            "Portrait complet (JSON)", content, f"portrait-{code}.json", "application/json", icon=":material/download:",
            on_click="ignore",
        )  # fmt: skip
        st.link_button("Carte autonome (HTML)", f"/bourg/export/carte-{code}.html", icon=":material/download:")


def _identity(identity: Identity) -> None:
    st.subheader("Identité")
    people = (
        f"**{format_number(identity.population)}** ({identity.population_year})"
        if identity.population is not None
        else "donnée manquante"
    )
    lines = [
        f"Code Insee : **{identity.code}** · code postal : {', '.join(identity.postal_codes) or 'inconnu'}",
        f"Population : {people}",
        f"Superficie : {format_value(identity.area_km2, 'km²', 1)} (contour simplifié)"
        if identity.area_km2
        else "Superficie : donnée manquante",
        f"Département : {identity.departement['nom']} ({identity.departement['code']})",
        f"Région : {identity.region['nom']}",
        f"Intercommunalité : {identity.epci['nom']}" if identity.epci else "Intercommunalité : aucune",
        f"Petites Villes de demain : {_pvd(identity)}",
    ]
    if council := identity.council:
        lines.append(f"Conseil municipal : {council['sieges']} élus, dont {council['femmes']} femmes")
    st.markdown("\n".join(f"- {line}" for line in lines))
    hall = identity.town_hall
    st.markdown("**Mairie**")
    if not hall["adresse"] and not hall["horaires"]:
        st.caption("Adresse et horaires inconnus.")
        return
    details = [part for part in (hall["adresse"], hall["telephone"]) if part]
    # st.text shows a text as it is: an address may hold any character.
    st.text("\n".join([*details, *(hall["horaires"] or ["Horaires inconnus"])]))
    if hall["site"] and hall["site"].startswith(("http://", "https://")):
        st.link_button("Site de la mairie", hall["site"], icon=":material/open_in_new:")


def _pvd(identity: Identity) -> str:
    pvd = identity.pvd
    mark = f" {layout.DEMO_MARK}" if pvd["demo"] else ""
    if pvd["beneficiaire"] is None:
        return "donnée manquante (aucune liste lue)"
    if not pvd["beneficiaire"]:
        return f"non{mark}"
    return (
        f"**oui**, convention signée le {format_date(pvd['depuis'])}{mark}"
        if pvd["depuis"]
        else f"**oui** (date de signature inconnue){mark}"
    )


def _map(observatory: Observatory, identity: Identity) -> None:
    view = layout.commune_view(observatory, identity.code)
    result = culture_map(
        snapshot_id=observatory.snapshot.id,
        commune=view,
        height=420,
        key="carte-ville",
        deep_link=False,
        demo_banner=False,
        panels=False,
    )
    # The details of a place lead to the page of its town, which may be a neighbour.
    if result.chosen and result.chosen != identity.code:
        st.session_state["ville-code"] = st.query_params["commune"] = result.chosen
        st.rerun()


def _places(portrait: Portrait) -> None:
    st.header("Lieux culturels par type", divider="gray")
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


def _apart(observatory: Observatory, identity: Identity) -> None:
    """Show what makes the town unlike the communes it is compared with, in sentences made from the values."""
    st.header(f"Ce qui distingue {identity.name}", divider="gray")
    chosen = st.segmented_control(
        "Comparée à",
        list(_COMPARATORS),
        format_func=_COMPARATORS.__getitem__,
        default="size_class",
        key="ville-ensemble",
    )
    found = sets_apart(observatory, identity.code, chosen or "size_class")
    if found.message:
        st.info(found.message, icon=":material/info:")
    lines = [f"- {item.sentence}{f' {layout.DEMO_MARK}' if item.demo else ''}" for item in found.traits]
    if lines:
        st.markdown("\n".join(lines))
        st.caption("Un écart décrit, il n'explique pas : aucune cause n'est affirmée ici.")


def _similar(observatory: Observatory, identity: Identity) -> None:
    """Show the towns most alike by their structure, with the reasons of each."""
    st.header("Villes semblables", divider="gray")
    found = similar_to(observatory, identity.code)
    if found.message:
        st.info(found.message, icon=":material/info:")
    if not found.neighbours:
        return
    rows = [
        (town.code, f"{town.name} ({observatory.index.get(town.code).departement_name})", town.sentence, town.demo)
        for town in found.neighbours
    ]
    st.html(neighbours_table("Les villes les plus proches par leur structure", rows))
    if found.stability is not None:
        st.caption(
            f"Stabilité de la liste : {format_number(found.stability, 2)} (1 : les mêmes villes quelle que soit la "
            "caractéristique retirée). La ressemblance porte sur la population, les âges et le logement, pas sur les "
            "résultats montrés."
        )
