"""The page of a town: what sets it apart, its key figures, every figure by theme, towns like it.

One choice, « Comparer à », governs every rank, every strip and what sets the town apart; the address holds it.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from bourg.compare.comparators import ComparisonSet, comparators
from bourg.dashboard import layout
from bourg.dashboard.address import AddressReader
from bourg.dashboard.page_state import LAST_TOWN
from bourg.dashboard.views import ville_sections
from bourg.dashboard.views.acces_town import render_access
from bourg.dashboard.views.choropleth import render_choropleth
from bourg.dashboard.views.evolution import render_evolution
from bourg.dashboard.views.ville_identity import identity_card, links
from bourg.dashboard.views.ville_state import Choice
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.values import ValueSheet
from bourg.portrait.document import KEY_FIGURES, Portrait, make_portrait
from bourg.portrait.html import key_figure_cards, legend, theme_table
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS, DEFAULT, unbroken
from bourg.text import count_of

# What a mayor acts on first; a theme that is not named here comes last.
_SECTIONS = {
    "distingue": "Particularités", "chiffres": "Chiffres clés", "themes": "Thèmes", "semblables": "Villes semblables",
    "evolution": "Évolution", "acces": "Accès", "carte": "Carte", "lieux": "Culture", "identite": "Mairie",
    "sources": "Sources",
}  # fmt: skip
# Themes that have a page of their own.
_DEPTH = {
    "commerce": ("commerces", "Types de commerces, enseignes, évolution et centre, sur la page Commerces"),
    "culture": ("culture", "Lieux, festivals, densité et temps de trajet, sur la page Culture"),
    "energy": ("energie", "Installations, production et consommation, sur la page Énergie"),
}
_STYLE = """
<style>
[data-testid=stLayoutWrapper]:has(> .st-key-ville-barre) { position: sticky; top: 3.75rem; z-index: 90; }
.st-key-ville-barre { padding: .3rem 0;
  background: light-dark(#ffffff, #17181b);
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.st-key-ville-comparer [data-testid=stSelectbox] { display: flex; align-items: center; gap: .6rem; }
.st-key-ville-comparer [data-testid=stSelectbox] > label { flex: none; margin: 0; width: auto; }
.st-key-ville-comparer [data-testid=stSelectbox] > div { flex: 1; min-width: 0; }
[data-testid=stTabs] [role=tab][aria-selected=true] p { color: light-dark(#7a3b12, #f3bd8b); font-weight: 600; }
.sommaire { display: flex; gap: .2rem .8rem; flex-wrap: wrap; font-size: .88rem; }
.sommaire a { color: inherit; white-space: nowrap; padding: .2rem 0; }
[data-testid=stMainBlockContainer] h1 { padding: 0 0 .2rem; }
[data-testid=stMainBlockContainer] h2 { font-size: 1.45rem; padding: .3rem 0 .45rem; scroll-margin-top: 10rem; }
.st-key-ville-distingue ul { columns: 2; column-gap: 2.5rem; } .st-key-ville-distingue li { break-inside: avoid; }
@media (max-width: 640px) {
  .sommaire { flex-wrap: nowrap; overflow-x: auto; }
  .st-key-ville-distingue ul { columns: 1; }
}
</style>
"""


# By reference, not pickled at each run: a portrait is never changed.
@st.cache_resource(max_entries=64, show_spinner=False)
def _portrait(snapshot_id: str, code: str, _observatory: Observatory) -> Portrait:
    del snapshot_id  # part of the cache key
    return make_portrait(_observatory, code)


def render() -> None:
    """Draw the page."""
    observatory = layout.observatory()
    address = AddressReader(observatory)
    code = address.commune() or (None if address.problems else st.session_state.get(LAST_TOWN))
    for problem in address.problems:
        layout.show_error(problem)
    if code is None:
        _welcome(observatory)
        return
    st.session_state[LAST_TOWN] = code
    if st.query_params.get("commune") != code:
        st.query_params["commune"] = code
    _town(observatory, _portrait(observatory.snapshot.id, code, observatory))


def _town(observatory: Observatory, portrait: Portrait) -> None:
    identity = portrait.identity
    st.html(_STYLE)
    title, search = st.columns([2.2, 1], gap="large", vertical_alignment="bottom")
    title.title(identity.name)
    with search:
        layout.town_search("ville", _choose, label="Changer de ville")
    st.markdown(unbroken(portrait.headline()))
    sets = {item.comparator.id: item for item in portrait.sets}
    by_theme = _by_theme(portrait)
    comparing, theme = _comparing(sets), _theme(by_theme)
    for problem in (comparing.restore(), theme.restore()):
        if problem is not None:
            layout.show_error(problem)
    chosen = _bar(comparing, sets, portrait)
    ville_sections.apart(portrait, chosen.comparator.id)
    st.header("Chiffres clés", anchor="chiffres", divider="gray")
    st.html(key_figure_cards(portrait.key_figures, chosen.comparator.id) + legend())
    st.header("Tous les chiffres, par thème", anchor="themes", divider="gray")
    tabs = st.tabs([THEMES[name] for name in by_theme], key=theme.key, on_change="rerun")
    for tab, (name, sheets) in zip(tabs, by_theme.items(), strict=True):
        # One theme travels at a time: the others come when they are opened.
        if tab.open:
            with tab:
                _depth(name, identity.code)
                st.html(theme_table(THEMES[name], sheets, chosen.comparator.id))
    theme.write()
    kept = {name: st.query_params[name] for name in ("comparer", "theme") if name in st.query_params}
    ville_sections.similar(observatory, portrait, kept)
    st.header("Évolution", anchor="evolution", divider="gray")
    render_evolution(observatory, identity.code)
    st.header("Accès aux équipements", anchor="acces", divider="gray")
    render_access(observatory, identity.code)
    st.header("Carte d'un indicateur", anchor="carte", divider="gray")
    render_choropleth(observatory, identity.code)
    ville_sections.places(observatory, portrait)
    st.header("Identité et mairie", anchor="identite", divider="gray")
    identity_card(identity)
    links(portrait)
    ville_sections.sources(portrait)


def _depth(theme: str, code: str) -> None:
    """Lead to the page of a theme that has one."""
    if theme in _DEPTH:
        name, label = _DEPTH[theme]
        st.page_link(layout.page(name), label=label, icon=":material/arrow_forward:", query_params={"commune": code})


def _by_theme(portrait: Portrait) -> dict[str, list[ValueSheet]]:
    found: dict[str, list[ValueSheet]] = {name: [] for name in THEMES}
    for sheet in portrait.sheets.values():
        found[sheet.theme].append(sheet)
    # Within a theme the key figures come first.
    return {
        name: sorted(sheets, key=lambda item: item.indicator not in KEY_FIGURES)
        for name, sheets in found.items()
        if sheets
    }


def _comparing(sets: Mapping[str, ComparisonSet]) -> Choice:
    known = {name: sets[name] for name in COMPARATORS if name in sets}
    given = {name: name for name, item in known.items() if item.status != "absent"}
    return Choice(
        parameter="comparer",
        key="ville-comparer",
        words="L'ensemble de comparaison",
        # A commune without any set keeps the control, which then says why.
        values=given or {DEFAULT: DEFAULT},
        default=_first_choice(given, known),
        refused={name: item.message for name, item in known.items() if item.status == "absent"},
    )


def _first_choice(given: Mapping[str, str], sets: Mapping[str, ComparisonSet]) -> str:
    """Return the first set that gives shares and strips, else the first one."""
    full = (name for name in given if sets[name].status == "ok" and sets[name].comparator.percentiles)
    return next(full, next(iter(given), DEFAULT))


def _theme(by_theme: Mapping[str, list[ValueSheet]]) -> Choice:
    return Choice(
        parameter="theme",
        key="ville-theme",
        words="Le thème",
        values={name: THEMES[name] for name in by_theme},
        default=next(iter(by_theme)),
        refused={name: "Aucun chiffre de ce thème dans cet instantané." for name in THEMES if name not in by_theme},
    )


def _bar(comparing: Choice, sets: Mapping[str, ComparisonSet], portrait: Portrait) -> ComparisonSet:
    """Draw the bar that stays in sight: the choice of the comparison, and the way to each section."""
    with st.container(key="ville-barre", gap="small", horizontal=True, vertical_alignment="center"):
        st.selectbox(
            "Comparer à",
            list(comparing.values),
            format_func=lambda name: _set_name(sets[name], portrait),
            key=comparing.key,
            width=400,
        )
        items = "".join(f'<a href="#{anchor}">{label}</a>' for anchor, label in _SECTIONS.items())
        st.html(f'<nav class="sommaire" aria-label="Sections de la page">{items}</nav>')
    chosen = sets[comparing.write()]
    if chosen.message:
        st.info(unbroken(chosen.message), icon=":material/info:")
    return chosen


def _set_name(chosen: ComparisonSet, portrait: Portrait) -> str:
    """Return « Département : Aveyron (284 autres communes) »."""
    identity = portrait.identity
    named = {
        "departement": identity.departement["nom"],
        "region": identity.region["nom"],
        "epci": identity.epci["nom"] if identity.epci else "",
        "size_class": (identity.size_class or "").removeprefix("de "),
    }
    known = comparators()[chosen.comparator.id].label
    words = f"{known} : {named[chosen.comparator.id]}" if named.get(chosen.comparator.id) else known
    return unbroken(f"{words} ({count_of(chosen.members.size, 'commune')})")


def _choose(code: str) -> None:
    st.session_state[LAST_TOWN] = code
    st.query_params["commune"] = code
    st.session_state["ville-recherche"] = ""


def _welcome(observatory: Observatory) -> None:
    st.title("Le portrait d'une ville")
    st.write(
        "Cherchez votre commune : ce qui la distingue des villes semblables, ses chiffres clés, ses lieux culturels."
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
