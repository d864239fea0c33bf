"""The page of comparison: two to ten towns at a glance, as a table, by rank, as a chart and over the years."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl
import streamlit as st

from bourg.compare.comparators import LISTED, comparators
from bourg.dashboard import layout
from bourg.dashboard.state import (
    COMPARE_VIEWS,
    CompareState,
    compare_address,
    current_address,
    read_compare_state,
    write_address,
)
from bourg.dashboard.views.evolution import render_evolutions
from bourg.errors import BourgError
from bourg.indicators.registry import load_indicators
from bourg.indicators.theme_labels import THEMES
from bourg.portrait.comparison import MOST_TOWNS, ComparedFigure, TownTable, compare_towns, similar_to
from bourg.portrait.document import KEY_FIGURES
from bourg.portrait.exports import comparison_csv, comparison_json, file_name
from bourg.portrait.observatory import Observatory
from bourg.portrait.side_by_side import bars, legend, strips, towns_table, wrap
from bourg.portrait.side_rows import figure_rows, landmark_labels, rank_rows, town_values
from bourg.text import count_of, join_words

_TOWNS, _PAST, _ADDRESS, _KEPT, _NOTE = (
    "comparer-villes", "comparer-passe", "comparer-adresse", "comparer-etat", "comparer-note",
)  # fmt: skip
_VIEW, _THEME, _INDICATOR, _COMPARATOR = "comparer-vue", "comparer-theme", "comparer-indicateur", "comparer-ensemble"
_SIMILAR_ADDED = 4
_EXAMPLE_TOWNS = 4
_ALL = "tous"
_FIRST_COMPARATOR = "size_class"


def render() -> None:
    """Draw the page."""
    observatory = layout.observatory()
    st.title("Comparer des villes")
    _restore(observatory)
    codes: list[str] = st.session_state[_TOWNS]
    _choice(observatory, codes)
    if len(codes) < 2:
        _waiting(observatory, codes)
        _write(CompareState(codes, st.session_state[_VIEW], *(st.session_state[key] for key in _CHOICES)))
        return
    table, values = _table(observatory.snapshot.id, tuple(codes), observatory)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        view = st.segmented_control(
            "Vue", list(COMPARE_VIEWS), format_func=COMPARE_VIEWS.__getitem__, key=_VIEW, required=True,
            label_visibility="collapsed",
        )  # fmt: skip
        _exports(observatory, table, values)
    _VIEWS[view or "apercu"](observatory, table, values)
    _write(CompareState(codes, view, *(st.session_state[key] for key in _CHOICES)))


_CHOICES = (_THEME, _INDICATOR, _COMPARATOR)
_DEFAULTS = {_VIEW: "apercu", _THEME: None, _INDICATOR: None, _COMPARATOR: None}


# State and address


def _restore(observatory: Observatory) -> None:
    """Take the state from the address when a session starts, or when the address was changed by hand."""
    address = current_address()
    kept = st.session_state.get(_KEPT)
    # Coming back from another page, the address is empty and the state is kept.
    if kept is not None and (not address or address == st.session_state.get(_ADDRESS)):
        # Streamlit forgets the keys of the widgets that another view did not draw.
        for key, value in kept.items():
            st.session_state.setdefault(key, value)
        return
    state = read_compare_state(observatory)
    st.session_state[_TOWNS] = state.communes
    st.session_state[_PAST] = []
    chosen = (state.view or "apercu", state.theme, state.indicator, state.comparator)
    st.session_state.update(zip(_DEFAULTS, chosen, strict=True))
    for problem in state.problems:
        layout.show_error(problem)


def _write(state: CompareState) -> None:
    write_address(compare_address(state))
    st.session_state[_ADDRESS] = current_address()
    st.session_state[_KEPT] = {
        _TOWNS: list(state.communes), _PAST: st.session_state.get(_PAST, []),
        **{key: st.session_state.get(key, default) for key, default in _DEFAULTS.items()},
    }  # fmt: skip


def _change(codes: Sequence[str]) -> None:
    """Replace the list of towns; the former one can be taken back."""
    before = st.session_state.get(_TOWNS, [])
    wanted = list(dict.fromkeys(codes))
    left = wanted[MOST_TOWNS:]
    st.session_state[_NOTE] = (
        f"La comparaison s'arrête à {MOST_TOWNS} communes : {count_of(len(left), 'commune')} de côté." if left else ""
    )
    if wanted[:MOST_TOWNS] != before:
        st.session_state[_PAST] = [*st.session_state.get(_PAST, []), before][-20:]
        st.session_state[_TOWNS] = wanted[:MOST_TOWNS]


def _add(code: str) -> None:
    _change([*st.session_state[_TOWNS], code])
    st.session_state["comparer-recherche"] = ""


def _remove(code: str) -> None:
    _change([town for town in st.session_state[_TOWNS] if town != code])


def _undo() -> None:
    past = st.session_state[_PAST]
    st.session_state[_TOWNS] = past[-1]
    st.session_state[_PAST] = past[:-1]
    st.session_state[_NOTE] = ""


def _add_similar(code: str) -> None:
    try:
        found = similar_to(layout.observatory(), code)
    except BourgError as error:
        st.session_state[_NOTE] = f"{error.what} {error.next_step}"
        return
    known = st.session_state[_TOWNS]
    others = [town.code for town in found.neighbours if town.code not in known]
    _change([*known, *others[:_SIMILAR_ADDED]])
    if not others:
        st.session_state[_NOTE] = found.message or "Toutes ses villes semblables sont déjà là."


def _add_epci(code: str) -> None:
    observatory = layout.observatory()
    row = observatory.commune(code)
    members = observatory.communes.filter(pl.col("epci") == row["epci"]).sort(
        ["population", "code"], descending=[True, False], nulls_last=True
    )
    _change([*st.session_state[_TOWNS], *members["code"]])


# Choice of the towns


def _choice(observatory: Observatory, codes: list[str]) -> None:
    names = dict(observatory.communes.select("code", "name").iter_rows())
    if codes:
        with st.container(horizontal=True, gap="small"):
            for rank, code in enumerate(codes):
                st.button(
                    f"{rank + 1} · {names[code]}", key=f"comparer-retirer-{code}", icon=":material/close:",
                    help=f"Retirer {names[code]}", on_click=_remove, args=(code,),
                )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if len(codes) < MOST_TOWNS:
            with st.container(width=340):
                layout.town_search("comparer", _add, label="Ajouter une ville")
        if codes:
            _helpers(observatory, codes, names)
        if st.session_state.get(_PAST):
            st.button("Annuler", key="comparer-annuler", icon=":material/undo:", on_click=_undo)
        if codes:
            st.button("Tout effacer", key="comparer-effacer", icon=":material/delete:", on_click=_change, args=([],))
    if note := st.session_state.get(_NOTE):
        st.info(layout.plain(note), icon=":material/info:")


def _helpers(observatory: Observatory, codes: list[str], names: dict[str, str]) -> None:
    if len(codes) >= MOST_TOWNS:
        return
    first = codes[0]
    st.button(
        f"Ajouter {_SIMILAR_ADDED} villes semblables à {names[first]}", key="comparer-semblables",
        icon=":material/group_add:", on_click=_add_similar, args=(first,),
        help="Les plus proches par la population, les âges et le logement.",
    )  # fmt: skip
    if epci := observatory.commune(first)["epci_name"]:
        st.button(
            "Ajouter son intercommunalité", key="comparer-epci", icon=":material/hub:", on_click=_add_epci,
            args=(first,), help=f"{epci} : les plus peuplées, {MOST_TOWNS} communes au plus en tout.",
        )  # fmt: skip


def _waiting(observatory: Observatory, codes: list[str]) -> None:
    if codes:
        name = observatory.index.get(codes[0]).name
        st.info(
            f"Il faut au moins deux villes : ajoutez-en une à {name}, par son nom, ou avec les boutons ci-dessus.",
            icon=":material/info:",
        )
        return
    st.write(
        f"Choisissez de deux à {MOST_TOWNS} villes : leurs chiffres côte à côte, leurs rangs, un graphique et leur "
        "évolution. L'adresse de la page garde le choix, et se partage."
    )
    examples = _examples(observatory.snapshot.id, observatory)
    if examples:
        st.caption("Pour commencer, quelques Petites Villes de demain d'un même département :")
        with st.container(horizontal=True):
            for departement, towns in examples.items():
                label = f"{join_words(list(towns.values()))} ({departement})"
                st.button(label, key=f"comparer-exemple-{next(iter(towns))}", on_click=_change, args=(list(towns),))


@st.cache_data(max_entries=4, show_spinner=False)
def _examples(snapshot_id: str, _observatory: Observatory) -> dict[str, dict[str, str]]:
    """Return, for three departments, a few towns of the programme: name of the department -> code -> name."""
    del snapshot_id  # part of the cache key
    towns = _observatory.communes.filter(pl.col("code").is_in(list(_observatory.pvd))).sort("code")
    groups: dict[str, dict[str, str]] = {}
    for departement, code, name in towns.select("departement_name", "code", "name").iter_rows():
        groups.setdefault(departement, {})[code] = name
    enough = [name for name, found in groups.items() if len(found) >= _EXAMPLE_TOWNS]
    chosen = enough[:: max(1, len(enough) // 3)][:3]
    return {name: dict(list(groups[name].items())[:_EXAMPLE_TOWNS]) for name in chosen}


# Views


@st.cache_data(max_entries=64, show_spinner=False)
def _table(snapshot_id: str, codes: tuple[str, ...], _observatory: Observatory) -> tuple[TownTable, pl.DataFrame]:
    del snapshot_id  # part of the cache key
    return compare_towns(_observatory, codes), town_values(_observatory, codes)


def _exports(observatory: Observatory, table: TownTable, values: pl.DataFrame) -> None:
    content = json.dumps(comparison_json(table, values, observatory.snapshot.manifest), ensure_ascii=False, indent=1)
    with st.container(horizontal=True, width="content", gap="small"):
        st.download_button(
            "CSV", comparison_csv(table, values), file_name(table, "csv"), "text/csv", icon=":material/download:",
            on_click="ignore", key="comparer-csv", help="Pour un tableur : UTF-8, points-virgules, une ligne par "
            "chiffre et par ville.",
        )  # fmt: skip
        st.download_button(
            "JSON", content, file_name(table, "json"), "application/json", icon=":material/download:",
            on_click="ignore", key="comparer-json",
        )  # fmt: skip


def _show(content: str) -> None:
    st.html(wrap(content))


def _overview(observatory: Observatory, table: TownTable, values: pl.DataFrame) -> None:
    figures = {figure.indicator: figure for figure in table.figures}
    chosen = [figures[name] for name in KEY_FIGURES if name in figures]
    rows = figure_rows(observatory, table, values, chosen, details=False)
    _show(legend(list(table.towns.values())) + strips(rows, table.towns))
    st.caption(
        "Chaque bande va de la plus basse à la plus haute valeur montrée ; le trait pointillé est la médiane. "
        "Les chiffres exacts sont dans la vue « Tableau »."
    )


def _theme_figures(table: TownTable) -> dict[str, list[ComparedFigure]]:
    """Return the figures of the chosen theme, or of all, by French theme."""
    present = [theme for theme in THEMES if any(figure.theme == theme for figure in table.figures)]
    options = [*present, _ALL]
    if st.session_state.get(_THEME) not in options:
        st.session_state[_THEME] = present[0]
    chosen = st.pills(
        "Thème", options, format_func=lambda name: THEMES.get(name, "Tous les thèmes"), key=_THEME,
        required=True, label_visibility="collapsed", wrap=True,
    )  # fmt: skip
    kept = present if chosen == _ALL else [chosen or present[0]]
    return {THEMES[name]: [figure for figure in table.figures if figure.theme == name] for name in kept}


def _values_table(observatory: Observatory, table: TownTable, values: pl.DataFrame) -> None:
    labels = landmark_labels(observatory, list(table.towns))
    for theme, figures in _theme_figures(table).items():
        shared = [figure for figure in figures if sum(value is not None for value in figure.values.values()) > 1]
        alone = [figure for figure in figures if figure not in shared]
        if shared:
            _show(towns_table(theme, table.towns, figure_rows(observatory, table, values, shared), labels))
        if alone:
            with st.expander(f"{theme} : {count_of(len(alone), 'chiffre')} qu'une seule de ces villes a"):
                _show(towns_table(theme, table.towns, figure_rows(observatory, table, values, alone), labels))
    st.caption(
        f"▲ max. et ▼ min. : la plus haute et la plus basse valeur de ces villes. {layout.DEMO_MARK} : valeur de "
        "démonstration, fabriquée. Un secret statistique ou une donnée manquante n'est pas un zéro."
    )


def _ranks(observatory: Observatory, table: TownTable, _values: pl.DataFrame) -> None:
    known = {name: item for name, item in comparators().items() if name != LISTED}
    if st.session_state.get(_COMPARATOR) not in known:
        st.session_state[_COMPARATOR] = _FIRST_COMPARATOR
    chosen = st.selectbox(
        "Ensemble où chaque ville est classée", list(known), format_func=lambda name: known[name].label,
        key=_COMPARATOR, width=420,
    )  # fmt: skip
    for theme, figures in _theme_figures(table).items():
        _show(
            towns_table(f"{theme} : rang de chaque ville", table.towns, rank_rows(observatory, table, figures, chosen))
        )
    st.caption(
        "Le 1er rang est celui de la plus haute valeur : ce n'est pas un palmarès, plus haut n'est pas toujours mieux. "
        "Chaque ville a son propre ensemble ; ex æquo, même rang."
    )


def _chart(observatory: Observatory, table: TownTable, values: pl.DataFrame) -> None:
    figures = {figure.indicator: figure for figure in table.figures}
    order = sorted(figures, key=lambda name: (list(THEMES).index(figures[name].theme), figures[name].label))
    if st.session_state.get(_INDICATOR) not in figures:
        wanted = [name for name in order if figures[name].theme == st.session_state[_THEME]]
        st.session_state[_INDICATOR] = (wanted or [name for name in KEY_FIGURES if name in figures] or order)[0]
    chosen = st.selectbox(
        "Indicateur", order, key=_INDICATOR, width=560,
        format_func=lambda name: f"{THEMES[figures[name].theme]} : {figures[name].label}",
    )  # fmt: skip
    (row,) = figure_rows(observatory, table, values, [figures[chosen]])
    _show(bars(row, table.towns) + row.details)
    declared = load_indicators()[chosen].declaration
    if declared.kind == "count":
        st.caption("Un nombre suit d'abord la taille de la ville : comparez aussi les valeurs pour 1 000 habitants.")


def _evolution(observatory: Observatory, table: TownTable, _values: pl.DataFrame) -> None:
    render_evolutions(observatory, list(table.towns))


_VIEWS = {
    "apercu": _overview, "tableau": _values_table, "rangs": _ranks, "graphique": _chart, "evolution": _evolution,
}  # fmt: skip
