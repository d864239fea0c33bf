"""The page « Extraire »: a theme and a territory, then table, map and files of OpenStreetMap objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.views import extraction_state
from bourg.dashboard.views.extraction_blocks import (
    counts_block,
    coverage_label,
    files_block,
    list_block,
    map_block,
    method_block,
    no_extract,
    other_way,
)
from bourg.dashboard.views.extraction_state import OVERPASS, state
from bourg.errors import BourgError, ParameterError
from bourg.extract.engine import Extraction, Progress, Source, extract, is_read, local_source
from bourg.extract.files import Candidate, candidates, local_extracts
from bourg.extract.overpass import Answer, ask, kept_answer, limits, server_address
from bourg.extract.sentences import coverage_remark, other_remarks, summary
from bourg.extract.territory import Box, Territories, Territory
from bourg.extract.themes import Theme, theme_named, themes
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.text import format_number

_THEME, _LEVEL, _SOURCE = "extraire-theme", "extraire-niveau", "extraire-source"
_LEVELS = {"commune": "Commune", "epci": "Intercommunalité", "departement": "Département"}


@st.cache_resource(max_entries=2, show_spinner=False)
def _territories(snapshot_id: str, _observatory: Observatory) -> Territories:
    del snapshot_id  # the key of the cache
    return Territories(_observatory.snapshot, _observatory.index)


def render() -> None:
    """Draw the page."""
    observatory = layout.observatory()
    st.title("Extraire des données d'OpenStreetMap")
    problems = extraction_state.PAGE.restore(observatory)
    if state().commune is not None and state().commune not in observatory.names:
        extraction_state.update(commune=None)
    extraction_state.PAGE.draw_town(observatory, state().commune)
    for problem in problems:
        layout.show_error(problem)
    theme = _theme()
    code = state().commune
    if code is None:
        st.write(
            "Choisissez une commune et un thème : la page liste les objets qu'OpenStreetMap y connaît, les place sur "
            "une carte et les donne en CSV, GeoJSON ou GeoParquet, prêts pour un tableur ou un SIG."
        )
        st.caption(f"{theme.label} : {theme.summary}")
        extraction_state.PAGE.write()
        return
    territories = _territories(observatory.snapshot.id, observatory)
    territory = _territory(territories, code)
    found = _extraction(_Asked(observatory.settings, territories, theme, territory))
    extraction_state.PAGE.write()
    if found is not None:
        _answer(observatory, *found)


def _set(name: str, key: str) -> Callable[[], None]:
    def changed() -> None:
        extraction_state.update(**{name: st.session_state[key]})

    return changed


# ---- Choices ---------------------------------------------------------------------------------------------------------


def _theme() -> Theme:
    known = themes()
    # The state wins: the widgets of a page are forgotten when another one is shown.
    st.session_state[_THEME] = state().theme
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Thème", list(known), format_func=lambda name: known[name].label, key=_THEME, width=340,
            on_change=_set("theme", _THEME),
        )  # fmt: skip
        if state().commune is not None:
            st.session_state[_LEVEL] = state().level
            st.segmented_control(
                "Territoire", list(_LEVELS), format_func=_LEVELS.__getitem__, key=_LEVEL, required=True,
                on_change=_set("level", _LEVEL),
            )  # fmt: skip
    return theme_named(state().theme)


def _territory(territories: Territories, code: str) -> Territory:
    level = state().level
    container = territories.containing(code, level)
    if container is None:
        st.info("Cette commune n'est d'aucune intercommunalité : voici la commune seule.", icon=":material/info:")
        extraction_state.update(level="commune")
        level, container = "commune", code
    return territories.at(level, container)


def _pick(ranked: list[Candidate], address: str | None) -> Candidate | str | None:
    """Return the source chosen: a local extract, ``overpass``, or ``None`` when there is nothing to choose from."""
    by_name = {item.extract.name: item for item in ranked}
    options = [*by_name, *([OVERPASS] if address else [])]
    asked = state().source
    if asked is not None and asked not in options:
        layout.show_error(ParameterError(
            f"La source « {asked[:60]} » n'est pas disponible pour ce territoire ; elle est ignorée.",
            where="?source=", next_step=f"choisissez parmi : {', '.join(options)}." if options else "",
        ))  # fmt: skip
        extraction_state.update(source=None)
    if not options:
        return None
    chosen = state().source or options[0]
    st.session_state[_SOURCE] = chosen
    labels = {name: coverage_label(item.extract, item.share) for name, item in by_name.items()}
    labels[OVERPASS] = "Serveur Overpass, sur demande"
    st.selectbox(
        "Source", options, format_func=labels.__getitem__, key=_SOURCE, on_change=_set("source", _SOURCE), width=560,
        help="Un extrait local répond sans réseau. Le serveur Overpass n'est interrogé que si vous le demandez.",
    )  # fmt: skip
    return by_name.get(chosen, chosen)


# ---- Answer ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """What the page is asked: where, of what."""

    settings: Settings
    territories: Territories
    theme: Theme
    territory: Territory

    def read(self, path: Path, source: Source) -> Extraction:
        """Return the extraction; a file read for the first time shows how far its reading is."""
        if is_read(path, self.theme, self.settings):
            return self._extract(path, source, None)
        bar = st.progress(0.0, text=f"Lecture de {layout.plain(source.name)}")

        def advance(label: str, share: float) -> None:
            bar.progress(min(share, 1.0), text=layout.plain(label))

        try:
            return self._extract(path, source, advance)
        finally:
            bar.empty()

    def _extract(self, path: Path, source: Source, progress: Progress | None) -> Extraction:
        return extract(
            self.theme, self.territory, path, source, territories=self.territories, settings=self.settings,
            progress=progress,
        )  # fmt: skip


def _extraction(asked: _Asked) -> tuple[Extraction, Box | None] | None:
    extracts, problems = local_extracts(asked.settings)
    for problem in problems:
        layout.show_error(problem)
    address = _server()
    chosen = _pick(candidates(extracts, asked.territory), address)
    if isinstance(chosen, Candidate):
        return asked.read(chosen.extract.path, local_source(chosen.extract, chosen.share)), chosen.extract.box
    if chosen is None or address is None:
        no_extract(extracts, asked.territory.name, overpass=address is not None)
        return None
    answer = _overpass(asked, address)
    return None if answer is None else (asked.read(answer.path, answer.source()), None)


def _server() -> str | None:
    try:
        return server_address()
    except BourgError as error:
        layout.show_error(error)
        return None


def _overpass(asked: _Asked, address: str) -> Answer | None:
    """Return the answer of the server: the one kept, or the one that a press of the button gets."""
    theme, territory, settings = asked.theme, asked.territory, asked.settings
    kept = kept_answer(theme, territory, address, settings)
    label = "Interroger le serveur Overpass" if kept is None else "Redemander au serveur"
    if kept is None:
        st.caption(
            f"La demande porte sur la boîte qui entoure {layout.plain(territory.name)} "
            f"({format_number(territory.area_km2)} km², {format_number(limits()['area_km2'])} au plus). La réponse est "
            "gardée : une seule demande suffit. Les serveurs publics sont partagés et gratuits, ménagez-les."
        )
    pressed = st.button(
        label, key="extraire-overpass", icon=":material/cloud_download:", type="primary" if kept is None else "tertiary"
    )
    if not pressed:
        if kept is None:
            other_way()
        return kept
    bar = st.progress(0.0, text="Demande envoyée ; la réponse prend quelques secondes à une minute.")

    def advance(_label: str, done: int, total: int | None) -> None:
        share = 0.1 if not total else min(done / total, 1.0)
        bar.progress(share, text=f"{format_number(done / 1e6, 1)} Mo reçus")

    try:
        return ask(theme, territory, settings, address=address, refresh=True, progress=advance)
    except BourgError as error:
        layout.show_error(error)
        return kept
    finally:
        bar.empty()


def _answer(observatory: Observatory, found: Extraction, box: Box | None) -> None:
    st.markdown(f"**{layout.plain(summary(found))}**")
    if coverage := coverage_remark(found.source):
        st.warning(layout.plain(coverage), icon=":material/crop:")
    if others := other_remarks(found):
        st.caption(layout.plain(" ".join(others)))
    if found.table.is_empty():
        method_block(found)
        return
    files_block(found)
    st.header("Carte", divider="gray", anchor="carte")
    map_block(found, box, observatory.snapshot.id)
    st.header("Par catégorie", divider="gray", anchor="categories")
    counts_block(found)
    list_block(found)
    method_block(found)
