"""Sections of the page of culture, each with its table; the figures come from the document."""

from __future__ import annotations

import streamlit as st

from bourg.access.network.errors import NetworkFolderError
from bourg.access.network.installed import NoNetworkError
from bourg.culture.density import density_rules
from bourg.culture.kinds import kind, kinds
from bourg.dashboard import layout
from bourg.dashboard.views.acces_data import desk_of, networks_signature
from bourg.dashboard.views.culture_drawing import inline_svg
from bourg.dashboard.views.culture_map import density_map_of, desert_map
from bourg.dashboard.views.culture_state import state, update
from bourg.indicators.engine import USABLE
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.typologies import TYPOLOGIES, load_typology
from bourg.portrait.access_html import town_table
from bourg.portrait.access_html import wrap as wrap_access
from bourg.portrait.html import legend, sources_list, theme_table
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import DEFAULT, unbroken
from bourg.portrait.themes import culture_html as html
from bourg.portrait.themes.culture import ACCESS_FIGURES, FESTIVAL_FIGURES, CulturePage
from bourg.portrait.themes.culture_density import MEASURES, bandwidth_of
from bourg.portrait.themes.culture_svg import STYLE as SVG_STYLE
from bourg.portrait.themes.culture_svg import sunburst
from bourg.portrait.themes.culture_times import time_rows
from bourg.portrait.themes.culture_words import capital, kilometres
from bourg.text import count_of, join_words

_TYPOLOGY, _DESERT, _MEASURE, _WIDTH = "culture-typologie", "culture-lieu", "culture-densite-choix", "culture-lissage"
_USUAL = 0.0
_TYPOLOGIES = {
    "brief": "Vivant ou patrimoine", "carte": "Filtres de la carte", "ministere": "Domaines du ministère",
}  # fmt: skip


def _set(name: str, key: str) -> None:
    value = st.session_state[key]
    update(**{name: None if name == "bandwidth" and value == _USUAL else value})


def brief(page: CulturePage) -> None:
    """Show the page in a few sentences."""
    for text in page.summary():
        st.markdown(layout.plain(unbroken(text)))
    if not page.complete:
        described = f"n'en décrit que {page.described}" if page.described else "n'en décrit aucune"
        st.info(
            f"La liste typée des lieux {described} sur {count_of(len(page.ring.codes), 'commune')} {page.ring.where} : "
            "répartition, inégalités et densité y sont manquantes, jamais à zéro.",
            icon=":material/info:",
        )


def key_figures(page: CulturePage) -> None:
    """Show the key figures, and how to read the strips when there are some."""
    st.html(html.key_cards(page) + (legend() if page.chosen is not None else ""))


# ---- Categories ------------------------------------------------------------------------------------------------------


def categories(page: CulturePage) -> None:
    """Show the places by category: sunburst, bars and tables of the same numbers."""
    st.session_state[_TYPOLOGY] = state().typology
    st.segmented_control(
        "Ranger les lieux selon", TYPOLOGIES, key=_TYPOLOGY, required=True, format_func=_TYPOLOGIES.__getitem__,
        on_change=_set, args=("typology", _TYPOLOGY),
    )  # fmt: skip
    st.caption(load_typology(page.typology).reference)
    made = page.breakdown
    if made is None:
        st.info(
            f"La liste typée ne décrit pas toutes les communes {page.area.where} : la répartition par catégorie est "
            "manquante.", icon=":material/info:",
        )  # fmt: skip
        return
    if not made.total:
        st.info(
            f"Aucun lieu n'est recensé {page.area.where} : rien à répartir. Voyez plus bas le plus proche de chaque "
            "genre, ou choisissez un territoire plus grand en haut de la page.", icon=":material/info:",
        )  # fmt: skip
        return
    picture, table = st.columns([1, 1.5], gap="large")
    with picture:
        title = f"Lieux culturels {page.area.where}, par catégorie puis par type"
        inline_svg(SVG_STYLE + sunburst(made, title, demo=page.demo), key="culture-rosace")
    with table:
        st.html(html.categories_table(page))
        if lacking := html.missing_types(page):
            st.caption(f"Aucun lieu {page.area.where} dans : {join_words(lacking)}.")
        st.html(html.types_table(page))


# ---- Kinds and times -------------------------------------------------------------------------------------------------


def spread(observatory: Observatory, page: CulturePage) -> None:
    """Show what is here, what is near, and who has it at home; then the times, and how concentrated places are."""
    st.html(html.kinds_table(page))
    if page.area.level == "commune":
        _times(observatory, page)
    st.subheader("Concentration", anchor="concentration")
    if page.ring.level == "commune" or len(page.ring.codes) < 2:
        st.caption("Une seule commune : les lieux ne peuvent pas s'y concentrer plus ou moins entre communes.")
    st.html(html.plain_cards(page.spread))
    sheets = [row.sheet for row in page.kinds if row.kind.id != "patrimoine"]
    with st.expander("Chaque part, avec sa fiche (formule, source, limites)"):
        st.html(html.plain_cards(sheets))


def _times(observatory: Observatory, page: CulturePage) -> None:
    st.subheader("Temps de trajet", anchor="temps")
    published = [page.sheets[name] for name in ACCESS_FIGURES if name in page.sheets]
    known = [sheet for sheet in published if sheet.status in USABLE or sheet.status == "unreachable"]
    desk = None
    if networks_signature(observatory.settings):
        try:
            desk = desk_of(observatory, page.code)
        except (NoNetworkError, NetworkFolderError):
            desk = None
    if desk is None:
        if known:
            st.html(html.plain_cards(known))
        st.markdown(
            "Aucun réseau de rues installé ne couvre cette commune : les distances ci-dessus sont **à vol d'oiseau**. "
            "Pour de vrais temps à pied, à vélo et en voiture, installez un extrait d'OpenStreetMap : "
            "`bourg network build FICHIER.osm.pbf`, puis ouvrez la page Accès."
        )
    else:
        rows, demo = time_rows(desk.access)
        st.html(wrap_access(town_table(rows, demo=demo)))
        st.caption(
            "Toutes les sources comptent ici (base permanente des équipements, Basilic, OpenStreetMap) : un "
            "lieu peut y être sans être dans Basilic. « Aucun connu » n'est pas la preuve d'une absence."
        )
        if known:
            st.html(html.plain_cards(known))
    st.link_button(
        "Carte des temps de trajet", f"/acces?commune={page.code}&vers=bibliotheque", icon=":material/directions_walk:"
    )


# ---- Deserts ---------------------------------------------------------------------------------------------------------


def deserts(observatory: Observatory, page: CulturePage) -> None:
    """Show the communes far from a kind of place: definition, number of inhabitants, map and list."""
    st.session_state[_DESERT] = state().desert
    st.selectbox(
        "Loin de quoi ?", list(kinds()), key=_DESERT, width=340, on_change=_set, args=("desert", _DESERT),
        format_func=lambda name: f"{capital(kind(name).words)} (plus de {kilometres(kind(name).desert_km)})",
    )  # fmt: skip
    found = page.deserts
    limit = kilometres(found.kind.desert_km)
    st.caption(
        f"Ici, un désert est une commune sans {found.kind.label}, dont la mairie est à plus de {limit}, à vol "
        "d'oiseau, du plus proche. Aucun texte ne fixe ce seuil : c'est un choix de Bourg (paramètre culture_kinds)."
    )
    st.html(html.plain_cards([page.desert_sheet]))
    if page.ring.level == "france":
        st.caption(
            "La carte se lit par région, par département ou par intercommunalité : choisissez-les en haut de page."
        )
    else:
        desert_map(observatory, page)
    if table := html.deserts_table(page):
        st.html(table)
    elif found.count("unknown") < len(page.ring.codes):
        st.caption(f"Aucune commune connue {page.ring.where} n'est dans ce cas.")
    st.download_button(
        "Télécharger toutes les communes (CSV)", html.deserts_csv(page),
        f"culture-deserts-{found.kind.id}-{page.ring.code}.csv", "text/csv", icon=":material/download:",
        key="culture-deserts-csv", on_click="ignore",
    )  # fmt: skip


# ---- Density ---------------------------------------------------------------------------------------------------------


def density(observatory: Observatory, page: CulturePage) -> None:
    """Show the density of places as contours, with the densest communes."""
    if page.ring.level == "france":
        st.caption("La densité se lit par région, par département ou par intercommunalité : choisissez-les en haut.")
        return
    now = state()
    usual = bandwidth_of(page.ring.level, None)
    st.session_state.update({_MEASURE: now.measure, _WIDTH: _USUAL if now.bandwidth is None else now.bandwidth})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.segmented_control(
            "Mesure", list(MEASURES), key=_MEASURE, required=True, on_change=_set, args=("measure", _MEASURE),
            format_func=lambda name: capital(MEASURES[name]),
        )  # fmt: skip
        st.selectbox(
            "Lissage", [_USUAL, *(float(choice) for choice in density_rules()["choices"])], key=_WIDTH, width=220,
            format_func=lambda km: f"{kilometres(usual)} (habituel)" if km == _USUAL else kilometres(km),
            on_change=_set, args=("bandwidth", _WIDTH),
            help="Écart type du noyau : plus il est grand, plus la carte est douce.",
        )  # fmt: skip
    found = page.density
    if found is None:
        st.info(
            "La liste typée ne décrit pas toutes ces communes, ou aucune n'a de contour : la densité est manquante.",
            icon=":material/info:",
        )
        return
    density_map_of(observatory, page, found)
    st.caption(
        f"Chaque lieu est étalé par une cloche de Gauss de {kilometres(found.bandwidth_km)} d'écart type ; les lieux "
        "des communes voisines comptent aussi. Un musée y pèse autant qu'un monument. Méthode : B. W. Silverman, 1986."
    )
    if table := html.densest_table(page):
        st.html(table)
    else:
        st.caption(f"Aucun lieu n'est recensé {page.ring.where}.")


# ---- Festivals and the rest ------------------------------------------------------------------------------------------


def festivals(observatory: Observatory, page: CulturePage) -> None:
    """Show the festivals, apart from places: figures, seasons, disciplines, list."""
    sheets = [page.sheets[name] for name in FESTIVAL_FIGURES if name in page.sheets]
    if sheets:
        st.html(html.plain_cards(sheets))
    found = page.festivals if page.festivals is not None and page.festivals.total else page.festivals_around
    if found is None:
        st.info("Aucune liste de festivals ne décrit ce territoire : ce n'est pas un zéro.", icon=":material/info:")
        return
    if not found.total:
        st.caption(f"Aucun festival n'est recensé {page.ring.where}.")
        return
    if found is not page.festivals:
        st.caption(f"Aucun {page.area.where} ; voici ceux qu'il y a {page.ring.where}.")
    left, right = st.columns(2, gap="large")
    left.html(html.counts_bars("Quand ?", "Période principale", found.seasons, demo=found.demo))
    right.html(html.counts_bars("Quelle discipline ?", "Discipline dominante", found.disciplines, demo=found.demo))
    if found.months:
        told = join_words([f"{month} ({count})" for month, count in found.months.items()])
        st.caption(f"Mois nommés dans la liste (la plupart des festivals n'y disent qu'une saison) : {told}.")
    st.html(html.festivals_table(page, found, observatory.names))


def all_figures(page: CulturePage) -> None:
    """Show every figure of the theme with its value sheet, and where they come from."""
    sheets = [sheet for name, sheet in page.sheets.items() if name.startswith("culture.")]
    comparator = DEFAULT if page.chosen is None else page.chosen.comparator.id
    with st.expander(f"Les {count_of(len(sheets), 'chiffre')} du thème, chacun avec sa fiche"):
        if page.chosen is None:
            st.html(html.plain_cards(sheet for sheet in sheets if sheet.status in USABLE))
        else:
            st.html(theme_table(THEMES["culture"], sheets, comparator))
    if used := sources_list([sheet for sheet in page.all_sheets if sheet.status in USABLE]):
        st.html(used)
