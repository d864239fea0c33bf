"""Access on the page of a town: a few families and the three modes in one table, and the way to the whole page."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from bourg.access.network.installed import NoNetworkError
from bourg.access.places.crosswalk import family
from bourg.dashboard import layout
from bourg.dashboard.views.acces_data import Desk, desk_of, networks_signature
from bourg.portrait.access_html import reach_sentence, town_table, wrap
from bourg.portrait.observatory import Observatory

FAMILIES = ("medecin_generaliste", "pharmacie", "boulangerie", "ecole", "bibliotheque", "cinema")
_THRESHOLD = 15


def render_access(observatory: Observatory, code: str) -> None:
    """Draw the section « Accès aux équipements » of a town; one line when no network covers it.

    Raises
    ------
    UnknownTerritoryError
        When the code names no commune.
    """
    found = observatory.commune(code)["code"]
    page = f"/acces?{urlencode({'commune': found})}"
    # Without any network nothing is opened: the page of a town stays quick.
    desk = None
    if networks_signature(observatory.settings):
        try:
            desk = desk_of(observatory, found)
        except NoNetworkError:
            desk = None
    if desk is None:
        st.markdown(
            f"Les temps d'accès ne sont pas calculés : aucun réseau de rues installé ne couvre cette commune. "
            f"[Essayer avec des rues de démonstration]({page})"
        )
        return
    _table(desk)
    st.link_button("Carte, courbes et changements possibles", page, icon=":material/directions_walk:")


def _table(desk: Desk) -> None:
    rows, told, demo = [], "", desk.access.demo
    for name in FAMILIES:
        answers = desk.answers(name)
        known = answers.facilities.height > 0
        rows.append((family(name), {mode: reach if known else None for mode, reach in answers.reaches.items()}))
        demo = demo or bool(answers.facilities["demo"].any())
        if known and not told:
            told = reach_sentence(desk.name, answers.reaches["foot"], _THRESHOLD)
    if told:
        st.markdown(f"{layout.plain(told)}{f' {layout.DEMO_MARK}' if demo else ''}")
    st.html(wrap(town_table(rows, demo=demo)))
    st.caption(
        "« Aucun connu » : dans l'emprise des rues installées, d'après les sources lues ; ce n'est pas la preuve d'une "
        "absence."
    )
