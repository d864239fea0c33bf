"""What every page shares: readiness, banner, errors, town search, footer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import streamlit as st

from bourg.dashboard.preparation import STATE, prepare
from bourg.errors import BourgError
from bourg.geography.search import Match
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.settings import load_settings
from bourg.text import format_date

DEMO_TEXT = (
    "**Données de démonstration.** Les communes, leurs populations, leurs âges et leurs logements sont vrais ; "
    "le reste (lieux culturels, équipements, revenus, liste PVD…) est **fabriqué** et marqué ◆ partout où il apparaît."
)
DEMO_MARK = "◆"


def observatory() -> Observatory:
    """Return the observatory of the snapshot in service."""
    return open_observatory(load_settings())


def wait_until_ready() -> bool:
    """Tell whether pages can be drawn; otherwise show the progress of the first preparation, or its error."""
    if STATE.ready:
        return True
    if not _preparing():
        # Tests and other servers run the script without our lifespan.
        threading.Thread(target=prepare, args=(load_settings(),), name="bourg-preparation", daemon=True).start()
    st.title("Bourg, l'observatoire des petites villes")
    _progress()
    return False


def _preparing() -> bool:
    return any(thread.name == "bourg-preparation" for thread in threading.enumerate())


@st.fragment(run_every=0.7)
def _progress() -> None:
    if STATE.ready:
        st.rerun()
    if STATE.error is not None:
        show_error(STATE.error)
        if st.button("Réessayer", type="primary"):
            STATE.error = None
            threading.Thread(target=prepare, args=(load_settings(),), name="bourg-preparation", daemon=True).start()
        return
    st.write("Première ouverture : l'observatoire prépare ses données. Cela prend une à deux minutes, une seule fois.")
    st.progress(STATE.share, text=STATE.label)


def show_error(error: BourgError) -> None:
    """Show a typed error: what, where, why, what to do."""
    parts = [f"**{error.what}**"]
    parts += [f"{label} : {text}" for label, text in (("Où", error.where), ("Pourquoi", error.why), ("Que faire", error.next_step)) if text]
    st.error("  \n".join(parts), icon=":material/error:")


def run(page: st.Page) -> None:
    """Draw a page; a typed error is shown in its place and the navigation stays usable."""
    try:
        page.run()
    except BourgError as error:
        show_error(error)


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


def describe_match(match: Match) -> str:
    """Return ``Millau (Aveyron, 12) · 12100``, with what was recognised when it is not the name."""
    postal = ", ".join(match.postal_codes[:2])
    extra = "" if match.matched in {"nom", "code postal", "code Insee"} else f" — {match.matched}"
    return f"{match.label} · {postal}{extra}" if postal else f"{match.label}{extra}"


def town_search(key: str, on_choice: Callable[[str], Any], *, placeholder: str = "Nom, code postal ou code Insee") -> None:
    """Draw a search field and the towns found, as buttons; ``on_choice`` receives the INSEE code."""
    query = st.text_input("Chercher une commune", key=f"{key}-recherche", placeholder=placeholder, max_chars=100)
    if not query.strip():
        return
    found = observatory().index.search(query, limit=12)
    if not found:
        st.info(
            f"Aucune commune ne correspond à « {query} ». Essayez sans accent, avec le code postal, ou une partie du nom.",
            icon=":material/search_off:",
        )
        return
    st.caption(f"{len(found)} communes trouvées" if len(found) > 1 else "1 commune trouvée")
    for match in found:
        if st.button(describe_match(match), key=f"{key}-{match.code}", width="stretch"):
            on_choice(match.code)
