"""The page of town-centre shops: what is there, what lacks, the centre, brands, openings and closures, footfall."""

from __future__ import annotations

import streamlit as st

from bourg.compare.comparators import ComparisonSet
from bourg.dashboard import layout
from bourg.dashboard.page_state import LAST_TOWN
from bourg.dashboard.views import commerce_sections as sections
from bourg.dashboard.views import commerce_state
from bourg.dashboard.views.commerce_centre import render_centre
from bourg.dashboard.views.commerce_data import page_of
from bourg.dashboard.views.commerce_footfall import render_footfall
from bourg.dashboard.views.commerce_state import state
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS, unbroken
from bourg.portrait.themes.commerce import CommercePage
from bourg.text import count_of

_COMPARE = "commerces-comparer"
_SECTIONS = {
    "bref": "En bref", "chiffres": "Chiffres clés", "composition": "Composition", "centre": "Centre et carte",
    "enseignes": "Enseignes", "liste": "Liste", "evolution": "Évolution", "frequentation": "Fréquentation",
    "chiffres-tous": "Tous les chiffres",
}  # fmt: skip
_OF_REGISTER = ("enseignes", "liste", "evolution")
_STYLE = """
<style>
[data-testid=stLayoutWrapper]:has(> .st-key-commerces-barre) { position: sticky; top: 3.75rem; z-index: 90; }
.st-key-commerces-barre { padding: .3rem 0; background: light-dark(#ffffff, #17181b);
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.st-key-commerces-comparer [data-testid=stSelectbox] { display: flex; align-items: center; gap: .6rem; }
.st-key-commerces-comparer [data-testid=stSelectbox] > label { flex: none; margin: 0; width: auto; }
.st-key-commerces-comparer [data-testid=stSelectbox] > div { flex: 1; min-width: 0; }
.sommaire { display: flex; gap: .2rem .8rem; flex-wrap: wrap; font-size: .88rem; }
.sommaire a { color: inherit; white-space: nowrap; padding: .2rem 0; }
[data-testid=stMainBlockContainer] h2 { font-size: 1.45rem; scroll-margin-top: 10rem; }
[data-testid=stMainBlockContainer] h3 { font-size: 1.15rem; scroll-margin-top: 10rem; }
[data-testid=stSliderThumbValue] { color: inherit; }
/* Streamlit's own words are English: the label above says the kind and the size of the file. */
[data-testid=stFileUploaderDropzoneInstructions] { display: none; }
[data-testid=stFileUploaderDropzone] button p { font-size: 0; }
[data-testid=stFileUploaderDropzone] button p::after { content: "Choisir un fichier"; font-size: .95rem; }
@media (max-width: 640px) { .sommaire { flex-wrap: nowrap; overflow-x: auto; } }
</style>
"""


def render() -> None:
    """Draw the page."""
    observatory = layout.observatory()
    problems = commerce_state.PAGE.restore(observatory)
    if state().commune is not None and state().commune not in observatory.names:
        commerce_state.update(commune=None)
    code = state().commune
    st.title("Commerces")
    commerce_state.PAGE.draw_town(observatory, code)
    for problem in problems:
        layout.show_error(problem)
    if code is None:
        _welcome(observatory)
        return
    st.session_state[LAST_TOWN] = code
    page = page_of(observatory, code, state())
    st.html(_STYLE)
    _bar(page)
    commerce_state.PAGE.write()
    _draw(observatory, page)


def _draw(observatory: Observatory, page: CommercePage) -> None:
    st.header("En bref", anchor="bref", divider="gray")
    sections.brief(page)
    st.header("Chiffres clés", anchor="chiffres", divider="gray")
    sections.key_figures(page)
    st.header(f"Composition{sections.mark(page)}", anchor="composition", divider="gray")
    sections.composition(page)
    if page.registered:
        _registered(page)
    else:
        st.header("Centre, enseignes, évolution", anchor="centre", divider="gray")
        sections.without_register(page)
    st.header("Fréquentation", anchor="frequentation", divider="gray")
    render_footfall(observatory, page.code)
    st.header("Tous les chiffres du thème", anchor="chiffres-tous", divider="gray")
    sections.all_figures(page)


def _registered(page: CommercePage) -> None:
    """Draw what only the register of establishments tells."""
    mark = sections.shops_mark(page)
    st.header(f"Le centre et la carte{mark}", anchor="centre", divider="gray")
    render_centre(page)
    st.header(f"Enseignes de réseau et indépendants{mark}", anchor="enseignes", divider="gray")
    sections.classes(page)
    st.header(f"Liste des commerces{mark}", anchor="liste", divider="gray")
    sections.shop_list(page)
    st.header(f"Ouvertures, fermetures, survie{mark}", anchor="evolution", divider="gray")
    sections.evolution(page)


def _bar(page: CommercePage) -> None:
    """Draw the bar that stays in sight: the choice of the comparison, and the way to each section."""
    sets = {item.comparator.id: item for item in page.sets if item.comparator.id in COMPARATORS}
    known = [name for name in COMPARATORS if name in sets and sets[name].status != "absent"]
    chosen = page.chosen.comparator.id
    # The state wins: the widgets of a page are forgotten when another one is shown.
    st.session_state[_COMPARE] = chosen if chosen in known else next(iter(known), None)
    with st.container(key="commerces-barre", gap="small", horizontal=True, vertical_alignment="center"):
        if known:
            st.selectbox(
                "Comparer à", known, format_func=lambda name: _set_name(sets[name], page), key=_COMPARE, width=400,
                on_change=lambda: commerce_state.update(comparator=st.session_state[_COMPARE]),
            )  # fmt: skip
        shown = {name: label for name, label in _SECTIONS.items() if page.registered or name not in _OF_REGISTER}
        items = "".join(f'<a href="#{anchor}">{label}</a>' for anchor, label in shown.items())
        st.html(f'<nav class="sommaire" aria-label="Sections de la page">{items}</nav>')
    if page.chosen.message:
        st.info(unbroken(page.chosen.message), icon=":material/info:")


def _set_name(chosen: ComparisonSet, page: CommercePage) -> str:
    label = page.set_labels[chosen.comparator.id]
    return unbroken(f"{label} ({count_of(int(chosen.members.size), 'commune')})")


def _welcome(observatory: Observatory) -> None:
    st.write(
        "Choisissez une commune : ses commerces par type et ce qui y manque, son centre, ses enseignes et ses "
        "indépendants, ce qui ouvre et ce qui ferme."
    )
    commerce_state.PAGE.draw_examples(observatory)
