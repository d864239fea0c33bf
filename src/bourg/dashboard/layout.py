"""What every page shares: readiness, banner, errors, town search, footer."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from bourg.accessibility import footer_text
from bourg.dashboard.map_component import CommuneView
from bourg.dashboard.preparation import STATE, prepare
from bourg.errors import BourgError
from bourg.geography.search import Match
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.settings import load_settings
from bourg.text import count_of, format_date, plural

DEMO_TEXT = (
    "**Données de démonstration.** Lieux culturels, équipements, commerces, énergie, revenus et liste PVD : "
    "**fabriqués**, marqués ◆. "
    "Communes, populations, âges, logements : vrais."
)
DEMO_MARK = "◆"
_MAX_FOUND = 50
# Half of the eighth button shows: one sees that the list goes on.
_LIST_HEIGHT = 400
# A file of ours: icons named by Streamlit are fetched from another host when they become the icon of the tab.
ICON = str(Path(__file__).parent / "assets" / "favicon.png")


_PAGES: dict[str, st.Page] = {}


def remember(pages: dict[str, st.Page]) -> None:
    """Keep the pages of the navigation, so that a page can link to another."""
    _PAGES.update(pages)


def page(name: str) -> st.Page:
    """Return a page of the navigation: ``carte``, ``ville``, ``comparer`` or ``sources``."""
    return _PAGES[name]


def observatory() -> Observatory:
    """Return the observatory of the snapshot in service."""
    return open_observatory(load_settings())


def wait_until_ready() -> bool:
    """Tell whether pages can be drawn; otherwise show the progress of the first preparation, or its error."""
    if STATE.ready:
        return True
    if STATE.error is None and not _preparing():
        # Tests and other servers run the script without our lifespan.
        _prepare()
    st.title("Bourg, l'observatoire des petites villes")
    _progress()
    return False


def _prepare() -> None:
    STATE.error = None
    threading.Thread(target=prepare, args=(load_settings(),), name="bourg-preparation", daemon=True).start()


def _preparing() -> bool:
    return any(thread.name == "bourg-preparation" for thread in threading.enumerate())


@st.fragment(run_every=0.7)
def _progress() -> None:
    if STATE.ready:
        st.rerun()
    if STATE.error is not None:
        show_error(STATE.error)
        st.button("Réessayer", type="primary", on_click=_prepare)
        return
    st.write("Première ouverture : l'observatoire prépare ses données. Cela prend une à deux minutes, une seule fois.")
    st.progress(STATE.share, text=STATE.label)


def plain(text: str) -> str:
    """Return a text that Streamlit shows as it is: in an address or a file, Markdown could call another host."""
    return re.sub(r"([\\`*_\[\]<>$!#~|])", r"\\\1", text)


def show_error(error: BourgError) -> None:
    """Show a typed error: what, where, why, what to do."""
    parts = [f"**{plain(error.what)}**"]
    parts += [
        f"{label} : {plain(text)}"
        for label, text in (("Où", error.where), ("Pourquoi", error.why), ("Que faire", error.next_step))
        if text
    ]
    st.error("  \n".join(parts), icon=":material/error:")


def run(current: st.Page) -> None:
    """Draw a page; a typed error is shown in its place and the navigation stays usable."""
    try:
        current.run()
    except BourgError as error:
        show_error(error)


# Streamlit's captions and table headings are too pale (under 4.5:1), and its titles take a third of a phone's screen.
_STYLE = """
<style>
[data-testid=stMainBlockContainer] { padding-top: 4.2rem; padding-bottom: 2rem; }
/* The colour of a chosen button is too pale on its own tint. */
button[data-variant=segmented_control][data-selected=true], button[data-variant=pills][data-selected=true] {
  color: inherit !important; font-weight: 700;
}
:focus-visible { outline: 3px solid currentColor !important; outline-offset: 2px; }
[data-testid=stCaptionContainer], [data-testid=stTable] th { color: inherit; opacity: .85; }
@media (max-width: 640px) {
  [data-testid=stMainBlockContainer] h1 { font-size: 1.8rem; padding: .3rem 0 .8rem; }
  [data-testid=stMainBlockContainer] h2 { font-size: 1.45rem; }
}
</style>
"""


def style() -> None:
    """Correct what Streamlit's own style leaves too wide, too pale or too big."""
    st.html(_STYLE)


def demo_banner() -> None:
    """Say that the snapshot holds generated values, when it does."""
    if observatory().snapshot.demo:
        st.warning(DEMO_TEXT, icon=":material/science:")


def footer() -> None:
    """Say what the page was made from, and that figures can be recomputed."""
    snapshot = observatory().snapshot
    st.divider()
    st.caption(
        f"Instantané {snapshot.id} construit le {format_date(snapshot.manifest['created'][:10])} · géographie au "
        f"1er janvier {snapshot.manifest['cog']} · chaque chiffre donne sa formule, sa source et ses limites · "
        "Bourg, logiciel libre (MIT)."
    )
    st.html(f'<p><a href="/accessibilite" target="_self">{footer_text()}</a></p>')


def describe_match(match: Match) -> str:
    """Return ``Millau (Aveyron, 12) · 12100``, and the former commune that was recognised when there is one."""
    postal = f" · {match.postal_codes[0]}" if match.postal_codes else ""
    extra = f" — {match.matched}" if match.matched.startswith("ancienne") else ""
    return f"{match.label}{postal}{extra}"


def town_search(key: str, on_choice: Callable[[str], Any], *, label: str = "Chercher une commune") -> None:
    """Draw a search field and the towns found, as buttons; ``on_choice`` receives the INSEE code.

    It is called before the next run of the script, so that it may empty the field (``<key>-recherche``).
    """
    placeholder = "Nom, code postal ou code Insee"
    query = st.text_input(label, key=f"{key}-recherche", placeholder=placeholder, max_chars=100)
    if not query.strip():
        return
    found = observatory().index.search(query, limit=_MAX_FOUND + 1)
    if not found:
        st.info(
            f"Aucune commune ne correspond à « {plain(query)} ». "
            "Essayez sans accent, avec le code postal, ou une partie du nom.",
            icon=":material/search_off:",
        )
        return
    st.caption(_introduction(found))
    # One postal code serves up to 46 communes: the list scrolls, so that the map stays in sight.
    with st.container(height=_LIST_HEIGHT if len(found) > 7 else "content", gap="small", border=False):
        for match in found[:_MAX_FOUND]:
            st.button(
                describe_match(match),
                key=f"{key}-{match.code}",
                width="stretch",
                on_click=on_choice,
                args=(match.code,),
            )


def _introduction(found: list[Match]) -> str:
    if all(match.matched == "approchant" for match in found):
        return "Aucune commune n'a exactement ce nom. Vouliez-vous dire :"
    if len(found) > _MAX_FOUND:
        return f"Les {_MAX_FOUND} premières communes trouvées : précisez le nom, ou le département (« Valence 26 »)."
    return f"{count_of(len(found), 'commune')} {plural(len(found), 'trouvée')}"


def commune_view(observatory: Observatory, code: str) -> CommuneView:
    """Return what the map needs to frame a commune, its department when its own outline is missing.

    A sentence then says so, where the function is called.
    """
    row = observatory.commune(code)
    view = CommuneView(code=code, name=row["name"])
    sides = ("xmin", "ymin", "xmax", "ymax")
    if row["xmin"] is None:
        st.caption(f"Le contour de {row['name']} manque dans la source : la carte montre tout le département.")
        around = observatory.communes.filter(pl.col("departement") == row["departement"])
        row = around.select(pl.min("xmin", "ymin"), pl.max("xmax", "ymax")).row(0, named=True)
    if row["xmin"] is not None:
        view["bounds"] = [row[side] for side in sides]
    return view
