"""Script that Streamlit runs at each interaction: waiting page, then navigation. Kept thin on purpose."""

import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.views import acces, carte, commerce, comparer, culture, energie, extraction, sources, ville

st.set_page_config(page_title="Bourg, l'observatoire des petites villes", page_icon=layout.ICON, layout="wide")
if layout.wait_until_ready():
    # The default page ignores its url_path (UI.md 3): the map answers at « / », so links to it are /?commune=…
    pages = {
        "carte": st.Page(carte.render, title="Carte culturelle", icon=":material/map:", url_path="carte", default=True),
        "ville": st.Page(ville.render, title="Ville", icon=":material/location_city:", url_path="ville"),
        "comparer": st.Page(comparer.render, title="Comparer", icon=":material/compare_arrows:", url_path="comparer"),
        "acces": st.Page(acces.render, title="Accès", icon=":material/directions_walk:", url_path="acces"),
        "commerces": st.Page(commerce.render, title="Commerces", icon=":material/storefront:", url_path="commerces"),
        "culture": st.Page(culture.render, title="Culture", icon=":material/theater_comedy:", url_path="culture"),
        "energie": st.Page(energie.render, title="Énergie", icon=":material/bolt:", url_path="energie"),
        "extraire": st.Page(extraction.render, title="Extraire", icon=":material/download:", url_path="extraire"),
        "sources": st.Page(sources.render, title="Sources et méthode", icon=":material/menu_book:", url_path="sources"),
    }
    page = st.navigation(list(pages.values()), position="top")
    st.set_page_config(page_title=f"{page.title} – Bourg, l'observatoire des petites villes")
    layout.remember(pages)
    layout.style()
    layout.demo_banner()
    layout.run(page)
    layout.footer()
