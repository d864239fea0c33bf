"""What the access page shows when it has nothing to compute: no town chosen, no network around the town."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import streamlit as st

from bourg.access.network.demo import install_demo_streets
from bourg.access.network.graph import SNAP_OK
from bourg.access.network.installed import installed_networks
from bourg.dashboard import layout
from bourg.dashboard.views.acces_data import Signature, networks_signature
from bourg.errors import BourgError
from bourg.portrait.observatory import Observatory
from bourg.text import count_of, plural

_EXAMPLES = 4
_TRIED = 12


def no_town(observatory: Observatory, choose: Callable[[str], None]) -> None:
    """Say what the page does, and offer towns whose streets are installed."""
    st.write(
        "Choisissez une commune : en combien de temps ses habitants atteignent une pharmacie, une école ou un cinéma, "
        "à pied, à vélo et en voiture ; qui reste loin ; et ce que changerait une fermeture ou une ouverture."
    )
    examples = _covered(networks_signature(observatory.settings), observatory)
    if examples:
        st.caption("Des communes dont les rues sont installées :")
        with st.container(horizontal=True):
            for code, label in examples.items():
                st.button(label, key=f"acces-exemple-{code}", on_click=choose, args=(code,))
    else:
        st.info(
            "Aucun réseau de rues n'est installé. Chaque commune propose des rues de démonstration pour essayer ; pour "
            "de vrais temps : bourg network build FICHIER.osm.pbf.",
            icon=":material/info:",
        )


@st.cache_data(max_entries=4, show_spinner=False)
def _covered(networks: Signature, _observatory: Observatory) -> dict[str, str]:
    """Return a few communes with streets, the most peopled of each network: code -> label."""
    del networks  # part of the cache key
    communes = _observatory.communes.drop_nulls(["longitude", "latitude", "population"])
    found: dict[str, str] = {}
    for network in installed_networks(_observatory.settings):
        west, south, east, north = network.network.bbox
        inside = (
            communes.filter(pl.col("longitude").is_between(west, east), pl.col("latitude").is_between(south, north))
            .sort("population", "code", descending=[True, False])
            .head(_TRIED)
        )
        # A town in the box of a network may be beyond its streets.
        near = network.network.snap(inside.select("longitude", "latitude").to_numpy(), "foot").status == SNAP_OK
        mark = f" {layout.DEMO_MARK}" if network.demo else ""
        served = inside.filter(pl.Series(near)).select("code", "name", "departement_name").head(2)
        for code, name, departement in served.iter_rows():
            found.setdefault(code, f"{name} ({departement}){mark}")
    return dict(list(found.items())[:_EXAMPLES])


def no_network(observatory: Observatory, code: str, error: BourgError) -> None:
    """Say that no network covers the town, what to do, and offer generated streets."""
    layout.show_error(error)
    settings = observatory.settings
    lost = len(networks_signature(settings)) - len(installed_networks(settings))
    if lost:
        st.warning(
            f"{count_of(lost, 'réseau installé', 'réseaux installés')} ne {plural(lost, 'se lit', 'se lisent')} pas, "
            f"ou {plural(lost, 'vient', 'viennent')} d'une autre version de Bourg : reconstruisez avec "
            "bourg network build FICHIER.",
            icon=":material/build:",
        )
    st.markdown(
        f"En attendant, des rues **fabriquées** autour de {layout.plain(observatory.names[code])} permettent d'essayer "
        f"la page. Tout ce qui en sort est marqué {layout.DEMO_MARK} et ne dit rien des rues réelles."
    )
    if not st.button(
        "Essayer avec des rues de démonstration", key="acces-demo", type="primary", icon=":material/science:"
    ):
        return
    bar = st.progress(0.0, text="Rues de démonstration")

    def advance(label: str, share: float) -> None:
        bar.progress(min(share, 1.0), text=label)

    try:
        install_demo_streets(observatory.snapshot, settings, code, advance)
    except BourgError as failure:
        layout.show_error(failure)
        return
    st.rerun()
