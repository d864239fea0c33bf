"""Script that Streamlit runs at each interaction: waiting page, then navigation. Kept thin on purpose."""

import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.pages import carte, sources, ville

st.set_page_config(
    page_title="Bourg, l'observatoire des petites villes", page_icon=":material/location_city:", layout="wide"
)
if layout.wait_until_ready():
    # The default page ignores its url_path (UI.md 3): the map answers at « / », so links to it are /?commune=…
    page = st.navigation(
        [
            st.Page(carte.render, title="Carte culturelle", icon=":material/map:", url_path="carte", default=True),
            st.Page(ville.render, title="Ville", icon=":material/location_city:", url_path="ville"),
            st.Page(sources.render, title="Sources et méthode", icon=":material/menu_book:", url_path="sources"),
        ],
        position="top",
    )
    layout.demo_banner()
    layout.run(page)
    layout.footer()
