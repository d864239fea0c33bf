"""The culture map: every place, by town, type and category."""

from __future__ import annotations

import polars as pl
import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.map_component import culture_map
from bourg.dashboard.page_state import LAST_TOWN
from bourg.dashboard.state import CATEGORIES, address_of_map, read_map_state, write_map_state
from bourg.portrait.observatory import Observatory
from bourg.text import count_of, format_number, format_value

_COMMUNE, _TYPES, _CATEGORIES = "carte-commune", "carte-types", "carte-categories"
_ADDRESS, _KEPT = "carte-adresse", "carte-etat"
_LABELS = {
    "patrimoine": "Patrimoine", "spectacle vivant": "Spectacle vivant", "autre vivant": "Autres lieux vivants",
}  # fmt: skip
_UNKNOWN = "inconnu"


@st.cache_data(max_entries=4, show_spinner=False)
def _types(snapshot_id: str, _observatory: Observatory) -> dict[str, int]:
    """Return the types present, the most frequent first, with their number."""
    del snapshot_id  # part of the cache key
    counts = _observatory.places.group_by("type").len().sort(["len", "type"], descending=[True, False])
    return dict(counts.iter_rows())


def render() -> None:
    """Draw the page."""
    observatory = layout.observatory()
    types = _types(observatory.snapshot.id, observatory)
    _restore(observatory, list(types))
    st.title("Les lieux culturels, ville par ville")
    controls, view = st.columns([1, 2.6], gap="medium")
    with controls:
        _controls(observatory, types)
    commune = st.session_state[_COMMUNE]
    chosen_types, categories = st.session_state[_TYPES], st.session_state[_CATEGORIES]
    write_map_state(commune, chosen_types, categories)
    st.session_state[_ADDRESS] = address_of_map()
    st.session_state[_KEPT] = {_COMMUNE: commune, _TYPES: chosen_types, _CATEGORIES: categories}
    with controls:
        _statistics(observatory, commune, chosen_types, categories)
    with view:
        result = culture_map(
            snapshot_id=observatory.snapshot.id,
            types=chosen_types or None,
            categories=categories or None,
            commune=layout.commune_view(observatory, commune) if commune else None,
            theme="auto",
            height=560,
            demo_banner=False,
            on_reset=_clear_filters,
        )
    if result.chosen:
        st.switch_page(layout.page("ville"), query_params={"commune": result.chosen})


def _restore(observatory: Observatory, known_types: list[str]) -> None:
    """Take the state from the address when a session starts, or when the address was changed by hand."""
    address = address_of_map()
    kept = st.session_state.get(_KEPT)
    # Coming back from another page, the address is empty and the state is kept.
    if kept is not None and (not address or address == st.session_state.get(_ADDRESS)):
        # Streamlit forgets the keys of the widgets that another page did not draw.
        for key, value in kept.items():
            st.session_state.setdefault(key, value)
        return
    state = read_map_state(observatory, known_types)
    st.session_state[_COMMUNE] = state.commune
    st.session_state[_TYPES] = state.types
    st.session_state[_CATEGORIES] = state.categories
    for problem in state.problems:
        layout.show_error(problem)


def _choose(code: str) -> None:
    st.session_state[_COMMUNE] = code
    st.session_state["carte-recherche"] = ""
    # The page of the town opens on the town chosen last, wherever it was chosen.
    st.session_state[LAST_TOWN] = code


def _clear_commune() -> None:
    st.session_state[_COMMUNE] = None


def _clear_filters() -> None:
    st.session_state[_TYPES] = []
    st.session_state[_CATEGORIES] = []


def _controls(observatory: Observatory, types: dict[str, int]) -> None:
    layout.town_search("carte", _choose)
    commune = st.session_state[_COMMUNE]
    if commune:
        match = observatory.index.get(commune)
        st.markdown(f"**{match.label}**")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                layout.page("ville"), label="Fiche de la ville", icon=":material/location_city:",
                query_params={"commune": commune},
            )  # fmt: skip
            st.button("Toute la France", icon=":material/close:", on_click=_clear_commune)
    st.pills(
        "Catégories", CATEGORIES, selection_mode="multi", format_func=_LABELS.__getitem__, key=_CATEGORIES,
        help="Aucune catégorie choisie : toutes sont montrées.", wrap=True,
    )  # fmt: skip
    st.multiselect(
        f"Types de lieux{_mark(observatory)}", list(types), placeholder="Tous les types", key=_TYPES,
        format_func=lambda label: f"{label} ({format_number(types[label])})",
    )  # fmt: skip
    if st.session_state[_TYPES] or st.session_state[_CATEGORIES]:
        st.button("Effacer les filtres", icon=":material/filter_alt_off:", on_click=_clear_filters)


def _mark(observatory: Observatory) -> str:
    """Return the mark of generated figures: a zero counted in a generated list is one of them."""
    return f" {layout.DEMO_MARK}" if bool(observatory.places["demo"].any()) else ""


def _statistics(observatory: Observatory, commune: str | None, types: list[str], categories: list[str]) -> None:
    """Show the figures of the filtered places of the town, or of France, and their share by category."""
    places, communes = observatory.places, _described(observatory.snapshot.id, observatory)
    if commune:
        places, communes = places.filter(pl.col("code") == commune), communes.filter(pl.col("code") == commune)
    total = places.height
    if types:
        places = places.filter(pl.col("type").is_in(types))
    if categories:
        places = places.filter(pl.col("category").is_in(categories))
    mark = _mark(observatory)
    covered = not communes.is_empty()
    st.header(observatory.index.get(commune).name if commune else "France entière", divider="gray")
    with st.container(horizontal=True):
        st.metric(
            f"Lieux retenus{mark}", format_number(places.height) if covered else _UNKNOWN,
            help=f"Sur {count_of(total, 'lieu', 'lieux')} sans filtre.",
        )  # fmt: skip
        st.metric(
            f"Pour 1 000 hab.{mark}", _rate(places, communes),
            help="Lieux retenus pour 1 000 habitants, là où la population est connue (la plus récente).",
        )  # fmt: skip
    if not covered:
        st.info("Aucune liste de lieux lue ne couvre ce territoire : ce n'est pas un zéro.", icon=":material/info:")
    elif commune and not total:
        st.info("Aucun lieu culturel n'est recensé dans cette commune.", icon=":material/info:")
    else:
        _categories(places, mark)


@st.cache_data(max_entries=4, show_spinner=False)
def _described(snapshot_id: str, _observatory: Observatory) -> pl.DataFrame:
    """Return ``code, population`` of the communes that the list of places describes."""
    del snapshot_id  # part of the cache key
    communes = _observatory.communes.select("code", "population")
    covered = [code for code in communes["code"] if _observatory.covers("culture_places", code)]
    return communes.filter(pl.col("code").is_in(covered))


def _rate(places: pl.DataFrame, communes: pl.DataFrame) -> str:
    """Return the places per 1,000 inhabitants; a population that is missing is not a population of zero."""
    known = communes.filter(pl.col("population").is_not_null())
    if known.is_empty():
        return _UNKNOWN
    population = int(known["population"].sum())
    count = places.join(known, on="code", how="semi").height
    return format_value(1000 * count / population, "", 2) if population else "sans objet"


def _categories(places: pl.DataFrame, mark: str) -> None:
    counts = dict(places.group_by("category").len().iter_rows())
    lines = []
    for category, label in _LABELS.items():
        count = counts.get(category, 0)
        share = f" ({format_value(100 * count / places.height, '%', 0)})" if places.height else ""
        lines.append(f"{label} : **{format_number(count)}**{share}{mark}")
    if other := sum(count for category, count in counts.items() if category not in _LABELS):
        lines.append(f"Non classés : **{format_number(other)}**{mark}")
    st.caption("  \n".join(lines))
