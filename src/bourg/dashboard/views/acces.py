"""The page of access: how long to the nearest facility, on foot, by bike and by car, and what would change."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import streamlit as st

from bourg.access.network.errors import NetworkFolderError
from bourg.access.network.graph import MODE_LABELS, MODES
from bourg.access.network.installed import NoNetworkError
from bourg.access.places.crosswalk import families, family, groups
from bourg.dashboard import layout
from bourg.dashboard.layer_map import layer_map
from bourg.dashboard.views import acces_state
from bourg.dashboard.views.acces_blocks import curve, is_demo, method, nothing_found, quarter, unserved, warnings
from bourg.dashboard.views.acces_data import Answers, Desk, desk_of, difference
from bourg.dashboard.views.acces_empty import no_network, no_town
from bourg.dashboard.views.acces_map import (
    FACILITIES,
    facility_names,
    isochrone_sentence,
    map_bounds,
    map_layers,
    nearest_facilities,
)
from bourg.dashboard.views.acces_state import THRESHOLDS, state
from bourg.errors import BourgError, ParameterError
from bourg.portrait.access_html import (
    change_rows,
    changes_table,
    difference_sentences,
    figure_cards,
    reach_sentence,
    wrap,
)
from bourg.text import NBSP, count_of, format_number

_FAMILY, _MODE, _THRESHOLD, _CLICK, _CLOSED = (
    "acces-famille", "acces-mode", "acces-seuil", "acces-clic", "acces-fermes",
)  # fmt: skip
_MAP = "acces-carte"
_NOTE = "acces-note"
_ISOCHRONE, _OPEN = "isochrone", "ouvrir"
_CAPITALS = {mode: label[0].upper() + label[1:] for mode, label in MODE_LABELS.items()}


def render() -> None:
    """Draw the page."""
    observatory = layout.observatory()
    st.title("Accès aux équipements")
    problems = acces_state.PAGE.restore(observatory)
    if state().commune is not None and state().commune not in observatory.names:
        acces_state.update(commune=None)
    acces_state.PAGE.draw_town(observatory, state().commune)
    for problem in problems:
        layout.show_error(problem)
    code = state().commune
    if code is None:
        no_town(observatory, acces_state.PAGE.choose)
        return
    try:
        desk = desk_of(observatory, code)
    except (NoNetworkError, NetworkFolderError) as error:
        acces_state.PAGE.write()
        no_network(observatory, code, error)
        return
    _check_changes(desk)
    _choices(desk)
    acces_state.PAGE.write()
    _answer(desk)


# ---- Choices ---------------------------------------------------------------------------------------------------------


def _set(name: str, key: str) -> Callable[[], None]:
    def changed() -> None:
        acces_state.update(**{name: st.session_state[key]})

    return changed


def _choices(desk: Desk) -> None:
    now, counts, names = state(), desk.counts, groups()
    # The state wins: the widgets of a page are forgotten when another one is shown.
    st.session_state.update({_FAMILY: now.family, _MODE: now.mode, _THRESHOLD: now.threshold})

    def label(name: str) -> str:
        here, total = counts[name]
        told = f"{here} ici, {total - here} autour" if total else "aucun trouvé"
        return f"{names[families()[name].group]} : {families()[name].label} ({told})"

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Équipement", list(families()), format_func=label, key=_FAMILY, width=420,
            on_change=_set("family", _FAMILY),
            help="Entre parenthèses : le nombre trouvé dans la commune, et ailleurs dans l'emprise des rues.",
        )  # fmt: skip
        st.segmented_control(
            "Mode", MODES, format_func=_CAPITALS.__getitem__, key=_MODE, required=True, on_change=_set("mode", _MODE)
        )
        st.segmented_control(
            "Seuil, en minutes", THRESHOLDS, key=_THRESHOLD, required=True, on_change=_set("threshold", _THRESHOLD)
        )


def _check_changes(desk: Desk) -> None:
    """Leave out of the changes what this town or family does not have, and say it."""
    now = state()
    known = set(desk.access.facilities_of(family(now.family))["facility_id"])
    wrong = [name for name in now.closed if name not in known]
    west, south, east, north = desk.access.installed.network.bbox
    out = [point for point in now.opened if not (west <= point[0] <= east and south <= point[1] <= north)]
    if wrong:
        layout.show_error(ParameterError(
            "Un équipement à fermer n'est pas dans la liste ; il est ignoré.",
            where=f"?ferme={', '.join(wrong)[:80]}", next_step="choisissez-le dans la liste sous la carte.",
        ))  # fmt: skip
    if out:
        layout.show_error(ParameterError(
            "Un équipement à ouvrir est hors du réseau de rues ; il est ignoré.",
            where=f"?ouvre={out[0][0]},{out[0][1]}", next_step="cliquez sur la carte, dans l'emprise du réseau.",
        ))  # fmt: skip
    if wrong or out:
        acces_state.update(
            closed=tuple(name for name in now.closed if name in known),
            opened=tuple(point for point in now.opened if point not in out),
        )


# ---- Answer ----------------------------------------------------------------------------------------------------------


def _answer(desk: Desk) -> None:
    now = state()
    before = desk.answers(now.family)
    after = desk.answers(now.family, now.closed, now.opened) if now.changed else before
    warnings(desk)
    demo = is_demo(desk, after)
    mark = f"{NBSP}{layout.DEMO_MARK}" if demo else ""
    known = after.facilities.height > 0
    if known:
        reach = after.reaches[now.mode]
        st.markdown(f"**{layout.plain(reach_sentence(desk.name, reach, now.threshold))}**{mark}")
        st.html(wrap(figure_cards(reach, now.threshold, demo=demo)))
        if reach.at_town_halls:
            st.caption(
                f"La source ne dit que la commune pour {count_of(reach.at_town_halls, 'équipement')} sur "
                f"{format_number(reach.facilities)} : ils sont placés à la mairie. Le temps est alors juste de commune "
                "à commune, pas entre quartiers."
            )
        if now.changed:
            st.caption("Ces chiffres tiennent compte des changements essayés sous la carte.")
    else:
        nothing_found(before)
    st.header("Carte", divider="gray", anchor="carte")
    _map_section(desk.code)
    _what_if(desk, before, after)
    if known:
        curve(now.threshold, before, after, mark)
        unserved(desk, after, demo=demo)
    quarter(desk)
    method(desk)


# ---- Map -------------------------------------------------------------------------------------------------------------


@st.fragment
def _map_section(code: str) -> None:
    """Draw the map; a click for an isochrone runs this part of the page only."""
    try:
        _draw_map(desk_of(layout.observatory(), code))
    except BourgError as error:
        layout.show_error(error)


def _draw_map(desk: Desk) -> None:
    now = state()
    before = desk.answers(now.family)
    after = desk.answers(now.family, now.closed, now.opened)
    label = family(now.family).label
    choices = {_ISOCHRONE: "montre où l'on va en 5, 10 et 15 min", _OPEN: f"ouvre ici : {label}"}
    st.session_state.setdefault(_CLICK, _ISOCHRONE)
    click = st.segmented_control(
        "Un clic sur la carte…", list(choices), format_func=choices.__getitem__, key=_CLICK, required=True,
        help="Au clavier : déplacez la carte avec les flèches, puis « Choisir le centre de la carte ».",
    )  # fmt: skip
    found = None if now.start is None else desk.isochrone(now.start, now.mode)
    layers, legend = map_layers(desk, now, before, after, found)
    result = layer_map(
        key=_MAP, layers=layers, bounds=map_bounds(desk, found), height=480, legend=legend, on_click="point",
        label=f"Temps {MODE_LABELS[now.mode]} jusqu'à l'équipement « {label} » le plus proche, à {desk.name}",
        snapshot_id=desk.access.snapshot.id, picker=FACILITIES,
    )  # fmt: skip
    if found is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(layout.plain(isochrone_sentence(desk, found, now.mode)), width="stretch")
            if st.button("Retirer l'isochrone", key="acces-sans-isochrone", icon=":material/close:"):
                _show_isochrone(None)
    if result.clicked is None:
        return
    point = round(result.clicked.lon, 5), round(result.clicked.lat, 5)
    # A facility that exists is not opened a second time: its isochrone is shown.
    if click == _OPEN and result.clicked.layer != FACILITIES:
        _open(desk, point)
    else:
        _show_isochrone(point)


def _show_isochrone(point: tuple[float, float] | None) -> None:
    acces_state.update(start=point)
    acces_state.PAGE.write()
    st.rerun(scope="fragment")


def _open(desk: Desk, point: tuple[float, float]) -> None:
    west, south, east, north = desk.access.installed.network.bbox
    if not (west <= point[0] <= east and south <= point[1] <= north):
        st.warning("Ce point est hors du réseau de rues : rien n'y est ouvert.", icon=":material/wrong_location:")
        return
    now = state()
    if point not in now.opened:
        acces_state.change(now.closed, (*now.opened, point))
        st.rerun()


# ---- What if ---------------------------------------------------------------------------------------------------------


def _close() -> None:
    try:
        acces_state.change(tuple(st.session_state[_CLOSED]), state().opened)
    except ParameterError as error:
        st.session_state[_NOTE] = f"{error.what} {error.next_step}"


def _forget(index: int) -> None:
    now = state()
    acces_state.change(now.closed, now.opened[:index] + now.opened[index + 1 :])


def _what_if(desk: Desk, before: Answers, after: Answers) -> None:
    now = state()
    wanted = family(now.family)
    st.header("Et si… ?", divider="gray", anchor="et-si")
    names = facility_names(before.facilities, wanted.label)
    order = _used_first(desk, before)
    st.session_state[_CLOSED] = [name for name in now.closed if name in names]
    if order:
        st.multiselect(
            f"Équipements qui fermeraient ({wanted.plural})", order, format_func=names.__getitem__, key=_CLOSED,
            placeholder="Choisissez un équipement", on_change=_close,
            help="Ceux dont le plus d'habitants sont proches viennent d'abord.",
        )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        for index in range(len(now.opened)):
            st.button(f"Retirer le projet n° {index + 1}", key=f"acces-projet-{index}", icon=":material/close:",
                      on_click=_forget, args=(index,))  # fmt: skip
        if acces_state.can_undo():
            st.button("Annuler le dernier changement", key="acces-annuler", icon=":material/undo:",
                      on_click=acces_state.undo)  # fmt: skip
        if now.changed:
            st.button("Tout remettre", key="acces-remettre", icon=":material/restart_alt:",
                      on_click=acces_state.change, args=((), ()))  # fmt: skip
    if note := st.session_state.pop(_NOTE, ""):
        st.warning(layout.plain(note), icon=":material/info:")
    if not now.changed:
        st.caption(
            "Choisissez ce qui fermerait, ou choisissez « ouvre ici » au-dessus de la carte puis cliquez : tout est "
            "recalculé. Rien n'est enregistré, sauf dans l'adresse de la page, qui se partage."
        )
        return
    found = difference(before.reaches[now.mode], after.reaches[now.mode], now.threshold)
    mark = f"{NBSP}{layout.DEMO_MARK}" if is_demo(desk, after) else ""
    told = difference_sentences(found.lost, found.gained, now.threshold, now.mode)
    st.markdown(f"**{layout.plain(' '.join(told))}**{mark}")
    st.html(wrap(changes_table(change_rows(before.reaches, after.reaches, now.threshold))))
    if not now.is_short:
        st.caption("Ces changements sont trop nombreux pour l'adresse de la page : elle ne les garde pas.")


def _used_first(desk: Desk, before: Answers) -> list[str]:
    """Return the facilities, those nearest to the most inhabitants first, then by distance from the town hall."""
    tables = [reach.table.select("facility", "inhabitants") for reach in before.reaches.values()]
    used = pl.concat(tables).drop_nulls("facility").group_by("facility").agg(pl.col("inhabitants").sum())
    served = used.sort("inhabitants", "facility", descending=[True, False])["facility"].to_list()
    near = nearest_facilities(before.facilities, desk.centre)["facility_id"].to_list()
    return list(dict.fromkeys([*served, *near, *state().closed]))
