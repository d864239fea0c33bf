"""The centre on the page of shops: map, rule that anybody can change, declared perimeter, shares inside and outside."""

from __future__ import annotations

import json

import streamlit as st

from bourg.commerce.centre import BOUNDS, LABELS, default_rule
from bourg.commerce.perimeter import read_perimeter
from bourg.commerce.typology import typology
from bourg.dashboard import layout
from bourg.dashboard.layer_map import layer_map
from bourg.dashboard.views import commerce_state
from bourg.dashboard.views.commerce_map import SHOPS, map_bounds, map_layers
from bourg.dashboard.views.commerce_state import RULE_FIELDS, state
from bourg.errors import BourgError
from bourg.portrait.html import theme_table
from bourg.portrait.themes.commerce import CommercePage
from bourg.portrait.themes.commerce_html import centre_table, wrap
from bourg.text import NBSP, format_number, format_value

_GROUPS, _FILE, _FILE_ROUND, _NOTE = (
    "commerces-groupes", "commerces-perimetre", "commerces-perimetre-tour", "commerces-perimetre-note",
)  # fmt: skip
_MAX_MB = 5
# What the sliders offer: narrower than what the address accepts, so that a move of the hand means something.
_SLIDERS = {
    "start_m": (50, 1500, 50), "link_m": (20, 300, 10), "dense_shops": (1, 12, 1), "edge_m": (5, 200, 5),
    "min_shops": (2, 40, 1),
}  # fmt: skip


def render_centre(page: CommercePage) -> None:
    """Draw the centre, or say why the rule gives none; nothing where Sirene does not describe the town."""
    centre = page.centre
    if centre is None:
        return
    st.markdown(layout.plain(centre.sentence))
    if centre.reason:
        st.info(layout.plain(centre.reason), icon=":material/info:")
    elif centre.share is not None and centre.area_ha is not None:
        st.markdown(
            f"**{layout.plain(format_value(centre.share, '%'))} des commerces de position connue sont dans le centre** "
            f"({format_number(centre.inside)} sur {format_number(centre.inside + centre.outside)}), sur "
            f"{layout.plain(format_value(centre.area_ha, 'ha', 1))}.{layout.plain(sections_mark(page))}"
        )
    for note in (*centre.notes, centre.unplaced_sentence):
        if note:
            st.caption(layout.plain(f"{note[0].upper()}{note[1:]}"))
    if page.shops.height:
        _map(page)
    _rule(page)
    if page.has_centre:
        st.html(wrap(centre_table(centre.groups, demo=page.shops_demo)))
        st.download_button(
            "Périmètre du centre (GeoJSON)", lambda: json.dumps(centre.to_geojson(), ensure_ascii=False),
            f"centre-{page.code}.geojson", "application/geo+json", icon=":material/download:",
            key="commerces-centre-geojson", on_click="ignore",
        )  # fmt: skip
    sheets = [sheet for name, sheet in page.sheets.items() if name.startswith("commerce.centre_")]
    if sheets:
        with st.expander("La règle de départ, comparée aux autres villes", icon=":material/analytics:"):
            st.html(theme_table("Le centre par la règle de départ", sheets, page.chosen.comparator.id))


def sections_mark(page: CommercePage) -> str:
    """Return the mark of generated shops."""
    return f"{NBSP}{layout.DEMO_MARK}" if page.shops_demo else ""


# ---- Map -------------------------------------------------------------------------------------------------------------


def _map(page: CommercePage) -> None:
    present = set(page.shops["group"])
    options = {key: label for key, label in typology().groups.items() if key in present}
    st.session_state[_GROUPS] = [group for group in state().groups if group in options]
    st.pills(
        "Groupes montrés (tous sans choix)", list(options), format_func=options.__getitem__, key=_GROUPS,
        selection_mode="multi",
        on_change=lambda: commerce_state.update(groups=tuple(st.session_state[_GROUPS])),
    )  # fmt: skip
    layers, legend = map_layers(page, state().groups)
    layer_map(
        key="commerces-carte", layers=layers, bounds=map_bounds(page), height=480, legend=legend,
        label=f"Commerces de {page.name} et périmètre du centre", snapshot_id=str(page.snapshot["id"]),
        picker=SHOPS if any(layer.id == SHOPS for layer in layers) else None,
    )  # fmt: skip


# ---- Rule ------------------------------------------------------------------------------------------------------------


def _moved() -> None:
    values = {name: st.session_state[f"commerces-regle-{name}"] for name in RULE_FIELDS}
    try:
        rule = commerce_state.rule_of(values)
    except BourgError as error:
        st.session_state[_NOTE] = error
        return
    commerce_state.change_centre(None if rule == default_rule() else rule, None)


def _rule(page: CommercePage) -> None:
    now = state()
    with st.expander("Changer la règle, ou donner votre périmètre", icon=":material/tune:"):
        st.caption("Rien n'est enregistré. La règle est dans l'adresse de la page, qui se partage.")
        rule = now.rule or default_rule()
        columns = st.columns(2)
        for index, name in enumerate(RULE_FIELDS):
            low, high, step = _SLIDERS[name]
            value = int(getattr(rule, name))
            unit = " (m)" if name.endswith("_m") else ""
            st.session_state[f"commerces-regle-{name}"] = value
            columns[index % 2].slider(
                f"{LABELS[name][0].upper()}{LABELS[name][1:]}{unit}", min(low, value), max(high, value), step=step,
                key=f"commerces-regle-{name}", on_change=_moved, disabled=now.declared is not None,
                help=f"De {format_number(BOUNDS[name][0])} à {format_number(BOUNDS[name][1])} dans l'adresse.",
            )  # fmt: skip
        _upload(page)
    if (problem := st.session_state.pop(_NOTE, None)) is not None:
        layout.show_error(problem)
    with st.container(horizontal=True):
        if commerce_state.can_undo():
            st.button("Annuler le dernier changement", key="commerces-annuler", icon=":material/undo:",
                      on_click=_undo)  # fmt: skip
        if now.rule is not None or now.declared is not None:
            st.button("Revenir à la règle de départ", key="commerces-remettre", icon=":material/restart_alt:",
                      on_click=_reset)  # fmt: skip


def _upload(page: CommercePage) -> None:
    if page.outline is None:
        st.caption("Le contour de la commune manque : un périmètre ne peut pas être vérifié.")
        return
    # A new key empties the field: the file that was taken back does not come again.
    key = f"{_FILE}-{page.code}-{st.session_state.get(_FILE_ROUND, 0)}"

    def sent() -> None:
        given = st.session_state.get(key)
        if given is None or page.outline is None:
            commerce_state.change_centre(state().rule, None)
            return
        try:
            declared = read_perimeter(given.getvalue(), page.outline)
        except BourgError as error:
            st.session_state[_NOTE] = error
            return
        commerce_state.change_centre(state().rule, declared)

    st.file_uploader(
        f"Périmètre déclaré (GeoJSON de polygones en longitude et latitude, {_MAX_MB}{NBSP}Mo au plus)",
        type=["geojson", "json"], key=key, on_change=sent, max_upload_size=_MAX_MB,
        help="Celui d'une opération de revitalisation, par exemple. Il reste dans cette session.",
    )  # fmt: skip


def _undo() -> None:
    commerce_state.undo()
    st.session_state[_FILE_ROUND] = st.session_state.get(_FILE_ROUND, 0) + 1


def _reset() -> None:
    commerce_state.change_centre(None, None)
    st.session_state[_FILE_ROUND] = st.session_state.get(_FILE_ROUND, 0) + 1
