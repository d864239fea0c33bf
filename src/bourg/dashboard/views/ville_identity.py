"""Who the town is: its identity, its town hall, its links, its small map."""

from __future__ import annotations

import json

import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.map_component import culture_map
from bourg.dashboard.page_state import LAST_TOWN
from bourg.portrait.document import Identity, Portrait
from bourg.portrait.observatory import Observatory
from bourg.site.addresses import ServerLinks
from bourg.text import format_date, format_number, format_value


def links(portrait: Portrait) -> None:
    """Draw the ways out of the page: the culture map, the whole portrait, a map that stands alone."""
    code = portrait.identity.code
    # The filters chosen on the map are kept: only the town changes.
    address = {**st.session_state.get("carte-adresse", {}), "commune": code}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            layout.page("carte"), label="Voir sur la carte culturelle", icon=":material/map:", query_params=address
        )
        st.download_button(
            "Portrait complet (JSON)", lambda: json.dumps(portrait.to_dict(), ensure_ascii=False, indent=1),
            f"portrait-{code}.json", "application/json", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        page = ServerLinks().town(code, portrait.identity.name)
        st.link_button("Télécharger le PDF", f"{page}.pdf", icon=":material/picture_as_pdf:")
        st.link_button("Carte autonome (HTML)", f"/bourg/export/carte-{code}.html", icon=":material/download:")


def identity_card(identity: Identity) -> None:
    """Draw the identity and the town hall."""
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
    facts, hall = st.columns([1.2, 1], gap="large")
    with facts:
        st.markdown("\n".join(f"- {line}" for line in lines))
    with hall:
        _town_hall(identity)


def _town_hall(identity: Identity) -> None:
    st.markdown("**Mairie**")
    hall = identity.town_hall
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


def town_map(observatory: Observatory, identity: Identity) -> None:
    """Draw the cultural places around the town; a place leads to the page of its own town."""
    view = layout.commune_view(observatory, identity.code)
    result = culture_map(
        snapshot_id=observatory.snapshot.id,
        commune=view,
        height=420,
        key="carte-ville",
        deep_link=False,
        demo_banner=False,
        panels=False,
        controls=False,
    )
    # The details of a place lead to the page of its town, which may be a neighbour.
    if result.chosen and result.chosen != identity.code:
        st.session_state[LAST_TOWN] = st.query_params["commune"] = result.chosen
        st.rerun()
