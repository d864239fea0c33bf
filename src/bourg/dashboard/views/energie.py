"""The page of energy: what a territory installs, injects and uses, where, since when, and beside its neighbours.

It draws :func:`bourg.portrait.themes.energy.make_energy_page`; the address holds every choice.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import streamlit as st

from bourg.compare.comparators import comparators
from bourg.dashboard import layout
from bourg.dashboard.views import energie_state
from bourg.dashboard.views.energie_map import render_map
from bourg.dashboard.views.energie_state import EnergyState, state
from bourg.dashboard.views.evolution import draw
from bourg.errors import BourgError, ParameterError
from bourg.portrait.charts import Evolution
from bourg.portrait.html import key_figure_cards
from bourg.portrait.html import legend as strips_legend
from bourg.portrait.markup import typeset
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS, SHORT, lines_of
from bourg.portrait.themes.energy import make_energy_page
from bourg.portrait.themes.energy_html import (
    absent_figures,
    balance_block,
    comparison_block,
    figure_cards,
    quotients_block,
    sectors_block,
    use_block,
    years_block,
)
from bourg.portrait.themes.energy_lists import apart_block, farms_block, sources_block
from bourg.portrait.themes.energy_markup import wrap
from bourg.portrait.themes.energy_model import TERRITORIES, TERRITORY_LABELS, EnergyPage, usable
from bourg.text import count_of

_TERRITORY, _COMPARATOR, _YEAR = "energie-territoire", "energie-comparer", "energie-annee"
_SECTIONS = {
    "chiffres": "Chiffres clés", "filieres": "Filières", "bilan": "Production et consommation", "carte": "Carte",
    "eoliennes": "Éoliennes", "consommation": "Consommation", "evolution": "Évolution", "comparaison": "Comparaison",
    "specialisation": "Spécialisation", "sources": "Sources",
}  # fmt: skip
_STYLE = """
<style>
.sommaire { display: flex; gap: .2rem .8rem; flex-wrap: wrap; font-size: .88rem; }
.sommaire a { color: inherit; white-space: nowrap; padding: .2rem 0; }
[data-testid=stMainBlockContainer] h2 { font-size: 1.45rem; padding: .3rem 0 .45rem; scroll-margin-top: 5rem; }
[data-testid=stMainBlockContainer] h3 { font-size: 1.1rem; padding: .3rem 0; }
@media (max-width: 640px) { .sommaire { flex-wrap: nowrap; overflow-x: auto; } }
</style>
"""


# By reference, not pickled at each run: a page is never changed.
@st.cache_resource(max_entries=24, show_spinner=False)
def _page(
    snapshot_id: str, code: str, territory: str, year: int | None, comparator: str, _observatory: Observatory
) -> EnergyPage:  # fmt: skip
    del snapshot_id  # part of the cache key
    return make_energy_page(_observatory, code, territory=territory, year=year, comparator=comparator)


def _made(observatory: Observatory, now: EnergyState) -> EnergyPage:
    return _page(observatory.snapshot.id, str(now.commune), now.territory, now.year, now.comparator, observatory)


def render() -> None:
    """Draw the page."""
    observatory = layout.observatory()
    st.title("Énergie")
    problems = energie_state.PAGE.restore(observatory)
    if state().commune is not None and state().commune not in observatory.names:
        energie_state.update(commune=None)
    energie_state.PAGE.draw_town(observatory, state().commune)
    for problem in problems:
        layout.show_error(problem)
    if state().commune is None:
        _no_town(observatory)
        return
    page = _checked(observatory)
    energie_state.PAGE.write()
    _choices(observatory, page)
    _draw(page)


def _checked(observatory: Observatory) -> EnergyPage:
    """Return the page asked for; a choice that does not suit this town is told and left out."""
    try:
        return _made(observatory, state())
    except ParameterError as error:
        layout.show_error(error)
    known = state().commune
    row = observatory.commune(str(known))
    territory = state().territory
    if territory != TERRITORIES[0] and row[territory] is None:
        energie_state.update(territory=TERRITORIES[0])
    else:
        energie_state.update(year=None)
    return _made(observatory, state())


# ---- Choices ---------------------------------------------------------------------------------------------------------


def _no_town(observatory: Observatory) -> None:
    st.write(
        "Choisissez une commune : ce qui y est installé pour produire de l'électricité, ce que cela donne en un an, ce "
        "que la commune consomme, et où elle se situe dans son intercommunalité, son département et sa région."
    )
    energie_state.PAGE.draw_examples(observatory)


def _set(name: str, key: str) -> Callable[[], None]:
    def changed() -> None:
        energie_state.update(**{name: st.session_state[key]})

    return changed


def _choices(observatory: Observatory, page: EnergyPage) -> None:
    now = state()
    row = observatory.commune(page.code)
    territories = [name for name in TERRITORIES if name == TERRITORIES[0] or row[name]]
    # The state wins: the widgets of a page are forgotten when another one is shown.
    st.session_state.update({_TERRITORY: now.territory, _COMPARATOR: now.comparator})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.segmented_control(
            "Territoire décrit", territories, format_func=TERRITORY_LABELS.__getitem__, key=_TERRITORY, required=True,
            on_change=_set("territory", _TERRITORY),
        )  # fmt: skip
        if page.place.level == TERRITORIES[0]:
            st.selectbox(
                "Comparer à", [name for name in COMPARATORS if name in comparators()], format_func=SHORT.__getitem__,
                key=_COMPARATOR, width=260, on_change=_set("comparator", _COMPARATOR),
                help="Ensemble de communes des bandes et des rangs, dans les chiffres clés.",
            )  # fmt: skip


# ---- Sections --------------------------------------------------------------------------------------------------------


def _draw(page: EnergyPage) -> None:
    st.html(_STYLE)
    st.markdown("  \n".join(f"**{layout.plain(typeset(text))}**" for text in page.headline))
    for note in page.notes:
        st.info(layout.plain(typeset(note)), icon=":material/info:")
    items = "".join(f'<a href="#{anchor}">{label}</a>' for anchor, label in _SECTIONS.items())
    st.html(f'<nav class="sommaire" aria-label="Sections de la page">{items}</nav>')
    _header("chiffres")
    given = [sheet for sheet in page.key_figures if usable(sheet)]
    if page.place.level == TERRITORIES[0]:
        drawn = any(line.spread for sheet in given for line in lines_of(sheet, page.comparator))
        st.html(key_figure_cards(given, page.comparator) + (strips_legend() if drawn else ""))
    else:
        st.html(wrap(figure_cards(page)))
    if absent := absent_figures(page):
        st.html(wrap(absent))
    _header("filieres")
    st.html(wrap(sectors_block(page)))
    _header("bilan")
    st.html(wrap(balance_block(page.balance)))
    _header("carte")
    _map_section(page.snapshot_id)
    st.html(wrap(apart_block(page)))
    _header("eoliennes")
    st.html(wrap(farms_block(page)))
    _header("consommation")
    _use(page)
    _header("evolution")
    _evolution(page)
    _header("comparaison")
    st.html(wrap(comparison_block(page)))
    _header("specialisation")
    st.html(wrap(quotients_block(page)))
    _header("sources")
    st.html(wrap(sources_block(page)))
    st.download_button(
        "Toute la page (JSON)", lambda: json.dumps(page.to_dict(), ensure_ascii=False, indent=1),
        f"energie-{page.place.level}-{page.place.code}.json", "application/json", icon=":material/download:",
        on_click="ignore",
    )  # fmt: skip


def _header(name: str) -> None:
    st.header(_SECTIONS[name], anchor=name, divider="gray")


@st.fragment
def _map_section(snapshot_id: str) -> None:
    """Draw the map; a click for a sheet runs this part of the page only."""
    del snapshot_id  # another snapshot is another section
    observatory = layout.observatory()
    try:
        render_map(_made(observatory, state()), observatory.names)
    except BourgError as error:
        layout.show_error(error)


def _use(page: EnergyPage) -> None:
    years = page.use.years
    if len(years) > 1:
        st.session_state[_YEAR] = page.use.year
        st.segmented_control("Année", years, key=_YEAR, required=True, on_change=_set("year", _YEAR))
    st.html(wrap(use_block(page)))


def _evolution(page: EnergyPage) -> None:
    st.subheader("Puissance en service, année après année")
    st.html(wrap(years_block(page)))
    shown = [item for item in page.series if not item.reason]
    if shown:
        st.subheader("Production et consommation, année après année")
    _charts(shown)
    if page.place.level != TERRITORIES[0]:
        st.caption(
            "Les séries annuelles de production et de consommation sont publiées par commune : choisissez « Commune »."
        )
    regional = [item for item in page.regional if not item.reason]
    if regional:
        st.subheader(f"Production de la région, tous réseaux : {layout.plain(regional[0].name)}")
        _charts(regional)
    absent = [item for item in (*page.series, *page.regional) if item.reason]
    if absent:
        with st.expander(f"{count_of(len(absent), 'série')} sans graphique, et pourquoi"):
            st.markdown("\n".join(f"- {item.label} : {item.reason}" for item in absent))
    if not page.regional:
        st.caption("La production annuelle de la région par filière n'est pas dans cet instantané.")


def _charts(shown: list[Evolution]) -> None:
    for start in range(0, len(shown), 2):
        columns = st.columns(2, gap="large")
        for column, item in zip(columns, shown[start : start + 2], strict=False):
            with column:
                draw([item], index=False, key=f"energie-{item.id}")
