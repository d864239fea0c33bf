"""The map of the installations in the dashboard, the sheet of the one chosen, and the table that says the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.layer_map import Layer, Legend, LegendItem, layer_map
from bourg.dashboard.page_state import LAST_TOWN
from bourg.dashboard.views import energie_state
from bourg.errors import ParameterError
from bourg.portrait.themes.energy_data import place_of
from bourg.portrait.themes.energy_lists import installation_card, sites_block, sites_csv
from bourg.portrait.themes.energy_map import PALETTE, EnergyMap, energy_map, installation_lines, territory_outline
from bourg.portrait.themes.energy_markup import wrap
from bourg.portrait.themes.energy_model import EnergyPage

_MARGIN = 0.01


def render_map(page: EnergyPage, names: Mapping[str, str]) -> None:
    """Draw the map, the sheet of the site or commune chosen, and the list of the sites."""
    if page.register.kind == "none":
        st.info("Aucun fichier lu ne situe d'installation ici : ce n'est pas la preuve qu'il n'y en a pas.",
                icon=":material/info:")  # fmt: skip
        return
    drawn = energy_map(page, names)
    bounds = _bounds(page)
    if not drawn.layers or bounds is None:
        st.info("Aucun site de 36 kW et plus n'a de point sur la carte de ce territoire.", icon=":material/info:")
    else:
        _draw(page, drawn, bounds)
    _chosen(page, names)
    count = page.points.height + page.lost.height
    if count:
        with st.expander(f"La liste des sites ({count})", icon=":material/table_rows:"):
            st.html(wrap(sites_block(page, names)))
            st.download_button(
                "Télécharger tous les sites (CSV)", lambda: sites_csv(page, names),
                f"installations-{page.place.level}-{page.place.code}.csv", "text/csv", icon=":material/download:",
                on_click="ignore",
            )  # fmt: skip


def _draw(page: EnergyPage, drawn: EnergyMap, bounds: list[float]) -> None:
    outline = _outline(page.snapshot_id, page.place.level, page.place.code, page.code)
    layers = [Layer("territoire", "polygons", outline, style="outline", interactive=False, weight=2,
                    label=f"Contour de {page.place.name}")] if outline else []  # fmt: skip
    layers += [
        Layer(item.id, "points", item.geojson, palette=PALETTE, label=item.label, radius=item.radius, weight=1.2)
        for item in drawn.layers
    ]
    mark = f" {layout.DEMO_MARK}" if page.register.demo else ""
    legend = Legend(
        f"Sites de 36 kW et plus{mark}",
        [LegendItem(label, count, colour) for label, count, colour in drawn.items],
        PALETTE,
        drawn.note,
    )
    result = layer_map(
        key="energie-carte", layers=layers, bounds=bounds, height=440, legend=legend, on_click="feature",
        label=f"Installations de production d'électricité, {page.place.name}", snapshot_id=page.snapshot_id,
        picker=layers[-1].id,
    )  # fmt: skip
    if result.clicked is not None and result.clicked.feature_id:
        _choose(result.clicked.feature_id)


@st.cache_data(max_entries=24, show_spinner=False)
def _outline(snapshot_id: str, level: str, code: str, commune: str) -> dict[str, Any] | None:
    del snapshot_id, code  # parts of the cache key
    observatory = layout.observatory()
    return territory_outline(observatory, place_of(observatory, commune, level))


def _bounds(page: EnergyPage) -> list[float] | None:
    if page.place.bounds is not None:
        return list(page.place.bounds)
    if page.points.is_empty():
        return None
    x, y = page.points["longitude"].to_list(), page.points["latitude"].to_list()
    return [min(x) - _MARGIN, min(y) - _MARGIN, max(x) + _MARGIN, max(y) + _MARGIN]


def _chosen(page: EnergyPage, names: Mapping[str, str]) -> None:
    chosen = energie_state.state().chosen
    if chosen is None:
        if page.points.height:
            st.caption("Cliquez sur un point pour lire sa fiche.")
        return
    lines = installation_lines(page, chosen, names)
    if lines is not None:
        st.html(wrap(installation_card(lines, demo=page.register.demo)))
    elif chosen in page.place.communes:
        st.html(wrap(sites_block(page, names, chosen)))
        if chosen != page.code:
            words = f"Voir l'énergie de {layout.plain(names[chosen])}"
            # The whole page changes, and not this part of it only.
            if st.button(words, key="energie-aller", icon=":material/arrow_forward:"):
                _go(chosen)
                st.rerun()
    else:
        layout.show_error(
            ParameterError(
                f"L'installation « {chosen} » n'est pas dans ce territoire.",
                where="?installation=",
                why="les identifiants changent avec chaque version du registre.",
                next_step="choisissez-la sur la carte ou dans la liste.",
            )
        )
    st.button("Fermer la fiche", key="energie-fermer", icon=":material/close:", on_click=_choose, args=(None,))


def _choose(identifier: str | None) -> None:
    energie_state.update(chosen=identifier)
    energie_state.PAGE.write()


def _go(code: str) -> None:
    energie_state.update(commune=code, territory="commune", chosen=None, year=None)
    st.session_state[LAST_TOWN] = code
