"""Sections of the page of shops: key figures, composition, brands, list, evolution, all figures."""

from __future__ import annotations

import datetime as dt

import polars as pl
import streamlit as st

from bourg.commerce.chains import CLASSES
from bourg.commerce.typology import rules
from bourg.dashboard import layout
from bourg.dashboard.views import commerce_state
from bourg.dashboard.views.commerce_map import shown_shops
from bourg.dashboard.views.commerce_state import state
from bourg.indicators.engine import USABLE
from bourg.portrait.html import key_figure_cards, legend, sources_list, theme_table
from bourg.portrait.themes.commerce import CommercePage
from bourg.portrait.themes.commerce_charts import flows_spec, survival_spec
from bourg.portrait.themes.commerce_flows import Flows
from bourg.portrait.themes.commerce_html import (
    addresses_sentence,
    class_bar,
    class_table,
    closures_table,
    difference_lists,
    diversity_table,
    evidence_table,
    kinds_table,
    mix_legend,
    mix_table,
    summary_list,
    survival_table,
    table,
    wrap,
    years_table,
)
from bourg.portrait.themes.commerce_mix import COUNTED, REGISTERS
from bourg.portrait.themes.commerce_shops import SHOWN, shops_csv
from bourg.text import NBSP, count_of, format_date, unaccented

_REGISTER, _SINCE, _SEARCH, _CLASS, _PLACES, _MORE = (
    "commerces-source", "commerces-depuis", "commerces-cherche", "commerces-classe", "commerces-lieu",
    "commerces-lignes",
)  # fmt: skip
_PAGE = 30
_FLOW_SHEETS = (
    "commerce.openings_rate", "commerce.closures_rate", "commerce.net_change", "commerce.survival_1",
    "commerce.survival_3", "commerce.survival_5", "commerce.replaced_share", "commerce.vacancy_proxy",
)  # fmt: skip


def mark(page: CommercePage) -> str:
    """Return the mark of a generated composition."""
    return f"{NBSP}{layout.DEMO_MARK}" if page.mix is not None and page.mix.demo else ""


def shops_mark(page: CommercePage) -> str:
    """Return the mark of generated shops."""
    return f"{NBSP}{layout.DEMO_MARK}" if page.shops_demo else ""


def brief(page: CommercePage) -> None:
    """Draw the few sentences that somebody in a hurry reads."""
    told = page.summary()
    if not told:
        st.info(layout.plain(page.nothing), icon=":material/info:")
        return
    st.html(wrap(summary_list(told, demo=page.demo)))


def key_figures(page: CommercePage) -> None:
    """Draw the key figures with their strips."""
    if not page.key_figures:
        st.info("Aucun chiffre de ce thème n'est dans cet instantané.", icon=":material/info:")
        return
    st.html(key_figure_cards(page.key_figures, page.chosen.comparator.id) + legend())


# ---- Composition -----------------------------------------------------------------------------------------------------


def composition(page: CommercePage) -> None:
    """Draw what is here, what lacks, what is rare elsewhere, and the diversity in words."""
    usable = [name for name, item in COUNTED.items() if item in page.sheets and page.sheets[item].status in USABLE]
    mix = page.mix
    if mix is None:
        st.info(layout.plain(page.nothing), icon=":material/info:")
        return
    if len(usable) > 1:
        st.session_state[_REGISTER] = mix.register
        st.segmented_control(
            "Source des nombres", usable, format_func=REGISTERS.__getitem__, key=_REGISTER, required=True,
            on_change=lambda: commerce_state.update(register=st.session_state[_REGISTER]),
        )  # fmt: skip
    if not mix.total:
        st.info(
            f"Aucun commerce compté dans la source « {REGISTERS[mix.register]} » : c'est un zéro, pas une donnée "
            "manquante.",
            icon=":material/storefront:",
        )
    st.html(wrap(difference_lists(mix)))
    if mix.total:
        st.html(wrap(mix_legend(mix, page.set_label), mix_table(mix, page.set_label, groups=True)))
    with st.expander("Type par type"):
        st.html(wrap(mix_legend(mix, page.set_label), mix_table(mix, page.set_label, groups=False)))
    sources = page.sheets[COUNTED[mix.register]].sources
    st.caption(
        f"Source : {layout.plain(', '.join(item.title for item in sources))}. Chaque commune de l'ensemble compte "
        f"autant dans la moyenne ({count_of(mix.compared, 'commune')} avec un compte de la même source et de la même "
        "année). Ces écarts décrivent : ils ne disent ni pourquoi, ni si c'est bien ; un commerce absent d'une source "
        "peut exister."
    )
    st.subheader("La variété des commerces", anchor="variete")
    told = page.diversity()
    if told:
        st.markdown("\n".join(f"- {layout.plain(text)}" for text in told))
    if page.has_centre:
        st.html(wrap(diversity_table(page.places, demo=page.shops_demo)))


# ---- Brands and list -------------------------------------------------------------------------------------------------


def without_register(page: CommercePage) -> None:
    """Say, once, what Sirene would add; the change between two editions of the BPE stays."""
    st.info(
        "Sirene ne décrit pas cette commune dans cet instantané : ni carte, ni centre, ni enseignes, ni liste, ni "
        "ouvertures et fermetures. C'est une donnée manquante, pas un zéro. Pour l'avoir : bourg fetch, puis bourg "
        "build, avec le stock des établissements (Sirene).",
        icon=":material/info:",
    )
    bpe_change(page)


def classes(page: CommercePage) -> None:
    """Draw the three classes with the bounds of the share, and what decided of them."""
    whole = page.classes
    if not whole.n:
        st.info("Sirene n'a aucun commerce ouvert dans cette commune.", icon=":material/storefront:")
        return
    st.html(wrap(class_bar(whole), class_table(whole, page.classes_by_group, demo=page.shops_demo)))
    st.caption(
        "Enseigne de réseau ne veut pas dire chaîne intégrée : un franchisé et l'adhérent d'une coopérative en ont "
        "une aussi. Un commerce sans nom connu, ou dont le nom ne dit que le métier, reste indéterminé : la part est "
        "donnée entre deux bornes, selon que tous les indéterminés seraient indépendants ou aucun."
    )
    with st.expander("Ce qui a décidé de la classe"):
        st.html(wrap(evidence_table(page.evidence, demo=page.shops_demo)))


@st.fragment
def shop_list(page: CommercePage) -> None:
    """Draw the list of open shops with its filters, and its file."""
    chosen = _filtered(page)
    total = page.shops.height
    groups = " (groupes choisis sur la carte)" if state().groups else ""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{count_of(chosen.height, 'commerce')}** sur {total}{groups}")
        st.download_button(
            "Ces commerces (CSV)", lambda: shops_csv(chosen, centre=page.has_centre, demo=page.shops_demo),
            f"commerces-{page.code}{'-demonstration' if page.shops_demo else ''}.csv", "text/csv",
            icon=":material/download:", key="commerces-csv", on_click="ignore",
        )  # fmt: skip
    if not chosen.height:
        st.info("Aucun commerce ne répond à ces choix.", icon=":material/search_off:")
        return
    shown = min(st.session_state.get(_MORE, _PAGE), chosen.height)
    rows = [
        (row["name"] or "sans nom connu", row["type_label"] or "", row["class_label"] or "",
         row["evidence_label"] or "", row["brand"] or "", row["place_label"] or "", row["siret"] or "non diffusé")
        for row in chosen.head(shown).iter_rows(named=True)
    ]  # fmt: skip
    caption = f"Commerces ouverts, {shown} sur {chosen.height}"
    st.html(wrap(table(caption, list(SHOWN.values()), rows, demo=page.shops_demo, kind="liste")))
    if shown < chosen.height:
        st.button(f"Montrer {min(_PAGE, chosen.height - shown)} de plus", key="commerces-plus",
                  on_click=_more, args=(shown,))  # fmt: skip


def _more(shown: int) -> None:
    st.session_state[_MORE] = shown + _PAGE


def _fewer() -> None:
    st.session_state[_MORE] = _PAGE


def _filtered(page: CommercePage) -> pl.DataFrame:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        query = st.text_input(
            "Nom, type ou enseigne", key=_SEARCH, max_chars=80, width=300, on_change=_fewer,
            placeholder="Exemple : boulangerie",
        )  # fmt: skip
        kind = st.selectbox(
            "Classe", list(CLASSES), format_func=CLASSES.__getitem__, index=None, key=_CLASS, width=220,
            placeholder="Toutes", on_change=_fewer,
        )  # fmt: skip
        labels = page.shops["place_label"].unique().sort().to_list()
        place = st.selectbox("Place", labels, index=None, key=_PLACES, width=220, placeholder="Toutes",
                             on_change=_fewer)  # fmt: skip
    chosen = shown_shops(page, state().groups)
    if kind is not None:
        chosen = chosen.filter(pl.col("chain") == kind)
    if place is not None:
        chosen = chosen.filter(pl.col("place_label") == place)
    words = unaccented(query).split()
    if words:
        # Plain words, never a pattern: what is typed is looked for as it is.
        text = pl.concat_str("name", "type_label", "group_label", "brand", separator=" ", ignore_nulls=True)
        folded = text.map_elements(unaccented, return_dtype=pl.String)
        chosen = chosen.filter(pl.all_horizontal(folded.str.contains(word, literal=True) for word in words))
    return chosen


# ---- Evolution -------------------------------------------------------------------------------------------------------


def evolution(page: CommercePage) -> None:
    """Draw openings, closures, survival and replacement; what a break forbids is told with its reason."""
    if page.flows is not None:
        _flows(page, page.flows)
    bpe_change(page)


def bpe_change(page: CommercePage) -> None:
    """Say why the BPE gives no change, when it gives none."""
    change = page.sheets.get("commerce.change")
    if change is not None and change.status not in USABLE:
        st.caption(
            f"Base permanente des équipements, {change.period} : {change.text}. "
            f"{layout.plain(change.series_break or change.explanation)}"
        )


def _flows(page: CommercePage, flows: Flows) -> None:
    first = rules()["first_year"]
    years = list(range(first, flows.last_year + 1))
    st.session_state[_SINCE] = state().since or first
    st.select_slider(
        "Depuis", years, key=_SINCE, width=420,
        on_change=lambda: commerce_state.update(since=_since(st.session_state[_SINCE], first)),
        help=f"Pas avant {first} : la nomenclature d'activités a changé le 1er janvier 2008 (NAF rév. 2).",
    )  # fmt: skip
    observed = f" Dernier jour décrit : {format_date(flows.observed)}." if isinstance(flows.observed, dt.date) else ""
    st.caption(
        f"Rupture de série : rien n'est compté avant {first}, les activités étaient dans une autre nomenclature."
        f"{observed} Un déménagement ou un rachat compte comme une fermeture et une ouverture."
    )
    if not any(int(flows.years[name].sum()) for name in ("opened", "closed", "stock")):
        st.info("Aucun commerce ouvert, créé ni fermé sur la période : un zéro compté.", icon=":material/storefront:")
        return
    demo = page.shops_demo
    st.subheader("Année par année", anchor="annees")
    st.vega_lite_chart(flows_spec(flows, page.name), width="stretch", key="commerces-flux")
    with st.expander("Les mêmes nombres en tableau"):
        st.html(wrap(years_table(flows, demo=demo)))
    st.subheader("Par type", anchor="par-type")
    st.html(wrap(kinds_table(flows, groups=True, demo=demo)))
    with st.expander("Type par type"):
        st.html(wrap(kinds_table(flows, groups=False, demo=demo)))
    st.subheader("Combien restent ouverts", anchor="survie")
    if flows.survival.height:
        st.vega_lite_chart(survival_spec(flows, page.name, page.set_label), width="stretch", key="commerces-survie")
        if flows.compared:
            st.caption(
                f"Ensemble : les commerces de {count_of(flows.compared, 'commune')} mis ensemble. Un commerce encore "
                "ouvert n'est suivi que jusqu'au dernier jour du fichier."
            )
        with st.expander("Les mêmes points en tableau"):
            st.html(wrap(survival_table(flows, page.name, page.set_label, demo=demo)))
    else:
        st.info(
            f"Moins de {rules()['survival_min']} commerces créés depuis {first} : aucune courbe.",
            icon=":material/info:",
        )
    st.subheader("Remplacement, et indice de vacance", anchor="remplacement")
    if flows.addresses is not None:
        st.markdown(layout.plain(addresses_sentence(flows.addresses)))
    if flows.closures.height:
        with st.expander("Les dernières fermetures, une par une"):
            st.html(wrap(closures_table(flows.closures, demo=demo)))
    sheets = [page.sheets[name] for name in _FLOW_SHEETS if name in page.sheets]
    with st.expander("Les taux, comparés", icon=":material/analytics:"):
        st.html(theme_table("Ouvertures, fermetures, survie", sheets, page.chosen.comparator.id))


def _since(year: int, first: int) -> int | None:
    return None if year == first else year


def all_figures(page: CommercePage) -> None:
    """Draw every figure of the theme with its sheet, and the sources."""
    with st.expander(f"{count_of(len(page.sheets), 'chiffre')}, chacun avec sa fiche", icon=":material/list_alt:"):
        st.html(theme_table("Commerces", page.sheets.values(), page.chosen.comparator.id))
    st.html(sources_list(page.sheets.values()))
