"""The page of culture: places by category, who has what near home, deserts, density, festivals."""

from __future__ import annotations

import streamlit as st

from bourg.compare.comparators import ComparisonSet, comparators
from bourg.dashboard import layout
from bourg.dashboard.page_state import LAST_TOWN
from bourg.dashboard.views import culture_sections as sections
from bourg.dashboard.views import culture_state
from bourg.dashboard.views.culture_state import CultureState, state
from bourg.geography.levels import LEVEL_LABELS
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS, unbroken
from bourg.portrait.themes.culture import CulturePage, make_culture_page
from bourg.portrait.themes.culture_areas import TERRITORIES
from bourg.text import count_of

_TERRITORY, _COMPARE = "culture-territoire", "culture-comparer"
_SECTIONS = {
    "bref": "En bref", "chiffres": "Chiffres clés", "categories": "Catégories", "repartition": "Répartition et accès",
    "deserts": "Déserts", "densite": "Densité", "festivals": "Festivals", "chiffres-tous": "Tous les chiffres",
}  # fmt: skip
_STYLE = """
<style>
[data-testid=stLayoutWrapper]:has(> .st-key-culture-barre) { position: sticky; top: 3.75rem; z-index: 90; }
.st-key-culture-barre { padding: .3rem 0; background: light-dark(#ffffff, #17181b);
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.st-key-culture-comparer [data-testid=stSelectbox], .st-key-culture-territoire [data-testid=stSelectbox] {
  display: flex; align-items: center; gap: .6rem; }
.st-key-culture-comparer [data-testid=stSelectbox] > label,
.st-key-culture-territoire [data-testid=stSelectbox] > label { flex: none; margin: 0; width: auto; }
.st-key-culture-comparer [data-testid=stSelectbox] > div,
.st-key-culture-territoire [data-testid=stSelectbox] > div { flex: 1; min-width: 0; }
.sommaire { display: flex; gap: .2rem .8rem; flex-wrap: wrap; font-size: .88rem; }
.sommaire a { color: inherit; white-space: nowrap; padding: .2rem 0; }
[data-testid=stMainBlockContainer] h2 { font-size: 1.45rem; scroll-margin-top: 10rem; }
[data-testid=stMainBlockContainer] h3 { font-size: 1.15rem; scroll-margin-top: 10rem; }
@media (max-width: 640px) { .sommaire { flex-wrap: nowrap; overflow-x: auto; } }
</style>
"""


@st.cache_resource(max_entries=32, show_spinner=False)
def _page(snapshot_id: str, _observatory: Observatory, code: str, choices: tuple[object, ...]) -> CulturePage:
    del snapshot_id  # part of the cache key
    territory, comparator, typology, desert, measure, bandwidth = choices
    return make_culture_page(
        _observatory, code, territory=str(territory), comparator=None if comparator is None else str(comparator),
        typology=str(typology), desert=str(desert), measure=str(measure),
        bandwidth=bandwidth if isinstance(bandwidth, float) else None,
    )  # fmt: skip


def render() -> None:
    """Draw the page."""
    observatory = layout.observatory()
    problems = culture_state.PAGE.restore(observatory)
    if state().commune is not None and state().commune not in observatory.names:
        culture_state.update(commune=None)
    code = state().commune
    st.title("Culture")
    culture_state.PAGE.draw_town(observatory, code, [("carte", "Les lieux sur la carte", ":material/map:")])
    for problem in problems:
        layout.show_error(problem)
    if code is None:
        _welcome(observatory)
        return
    st.session_state[LAST_TOWN] = code
    if state().territory not in _territories(observatory, code):
        culture_state.update(territory="commune")
    page = _page(observatory.snapshot.id, observatory, code, _choices(state()))
    st.html(_STYLE)
    _bar(observatory, page)
    culture_state.PAGE.write()
    _draw(observatory, page)


def _choices(now: CultureState) -> tuple[object, ...]:
    comparator = now.comparator if now.territory == "commune" else None
    return (now.territory, comparator, now.typology, now.desert, now.measure, now.bandwidth)


def _draw(observatory: Observatory, page: CulturePage) -> None:
    mark = f" {layout.DEMO_MARK}" if page.demo else ""
    st.header("En bref", anchor="bref", divider="gray")
    sections.brief(page)
    st.header(f"Chiffres clés : {layout.plain(page.area.name)}", anchor="chiffres", divider="gray")
    sections.key_figures(page)
    st.header(f"Vivant, patrimoine et autres catégories{mark}", anchor="categories", divider="gray")
    sections.categories(page)
    st.header(f"Qui a quoi près de chez soi ?{mark}", anchor="repartition", divider="gray")
    sections.spread(observatory, page)
    st.header(f"Déserts culturels : {layout.plain(page.ring.name)}{mark}", anchor="deserts", divider="gray")
    sections.deserts(observatory, page)
    st.header(f"Densité des lieux : {layout.plain(page.ring.name)}{mark}", anchor="densite", divider="gray")
    sections.density(observatory, page)
    festival_mark = f" {layout.DEMO_MARK}" if page.festivals is not None and page.festivals.demo else ""
    st.header(f"Festivals{festival_mark}", anchor="festivals", divider="gray")
    sections.festivals(observatory, page)
    st.header("Tous les chiffres du thème", anchor="chiffres-tous", divider="gray")
    sections.all_figures(page)


def _territories(observatory: Observatory, code: str) -> dict[str, str]:
    """Return the territories a town may be told with: level -> « Département : Aveyron »."""
    row = observatory.commune(code)
    names = {
        "commune": row["name"], "epci": row["epci_name"], "departement": row["departement_name"],
        "region": row["region_name"], "france": "",
    }  # fmt: skip
    return {
        level: f"{LEVEL_LABELS[level]} : {names[level]}" if names[level] else LEVEL_LABELS[level]
        for level in TERRITORIES
        if level == "france" or names[level]
    }


def _bar(observatory: Observatory, page: CulturePage) -> None:
    """Draw the bar that stays in sight: territory, comparison, and the way to each section."""
    labels = _territories(observatory, page.code)
    # The state wins: the widgets of a page are forgotten when another one is shown.
    st.session_state[_TERRITORY] = page.area.level
    with st.container(key="culture-barre", gap="small", horizontal=True, vertical_alignment="center"):
        st.selectbox(
            "Territoire", list(labels), format_func=lambda name: unbroken(labels[name]), key=_TERRITORY, width=380,
            on_change=lambda: culture_state.update(territory=st.session_state[_TERRITORY]),
        )  # fmt: skip
        if page.chosen is not None:
            _comparing(page, page.chosen)
        items = "".join(f'<a href="#{anchor}">{label}</a>' for anchor, label in _SECTIONS.items())
        st.html(f'<nav class="sommaire" aria-label="Sections de la page">{items}</nav>')
    if page.chosen is not None and page.chosen.message:
        st.info(unbroken(page.chosen.message), icon=":material/info:")


def _comparing(page: CulturePage, chosen: ComparisonSet) -> None:
    sets = {item.comparator.id: item for item in page.sets}
    known = [name for name in COMPARATORS if name in sets and sets[name].status != "absent"]
    if not known:
        return
    st.session_state[_COMPARE] = chosen.comparator.id if chosen.comparator.id in known else known[0]
    st.selectbox(
        "Comparer à", known, format_func=lambda name: _set_name(sets[name]), key=_COMPARE, width=400,
        on_change=lambda: culture_state.update(comparator=st.session_state[_COMPARE]),
    )  # fmt: skip


def _set_name(chosen: ComparisonSet) -> str:
    label = comparators()[chosen.comparator.id].label
    return unbroken(f"{label} ({count_of(int(chosen.members.size), 'commune')})")


def _welcome(observatory: Observatory) -> None:
    st.write(
        "Choisissez une commune : ses lieux vivants et son patrimoine, ce qui manque près de chez soi, les déserts "
        "culturels autour, la densité des lieux et les festivals."
    )
    culture_state.PAGE.draw_examples(observatory)
