"""Footfall on the page of shops: the file of a counter, its profile, two periods compared; nothing is invented."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import streamlit as st

from bourg.commerce.footfall import Footfall, compare, profile, public_holidays, summaries
from bourg.commerce.footfall_store import FootfallStore
from bourg.dashboard import layout
from bourg.errors import BourgError
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.commerce_footfall import (
    answer_list,
    comparison_table,
    counters_table,
    heat_table,
    profile_sentences,
)
from bourg.portrait.themes.commerce_html import wrap
from bourg.sources.readers.footfall import read_footfall, timezone_of
from bourg.text import NBSP, format_date

_UPLOADED = "Fichier envoyé"
_MAX_MB = 20
_EXAMPLE = (
    "compteur;lieu;debut;duree_min;passages\r\n"
    "C1;rue principale;2024-03-04T09:00:00+01:00;60;212\r\n"
    "C1;rue principale;2024-03-04T10:00:00+01:00;60;240\r\n"
)


@st.fragment
def render_footfall(observatory: Observatory, code: str) -> None:
    """Draw the section; a file that cannot be read is told and nothing else changes."""
    sent = st.file_uploader(
        f"Fichier de comptage (CSV, zip ou tableur, {_MAX_MB}{NBSP}Mo au plus)",
        type=["csv", "txt", "zip", "gz", "xlsx"], key=f"commerces-comptage-{code}", max_upload_size=_MAX_MB,
        help="Il reste dans cette session : rien n'est enregistré, personne d'autre ne le voit.",
    )  # fmt: skip
    try:
        found = _chosen(observatory, code, None if sent is None else (sent.name, sent.getvalue()))
        if found is None:
            _nothing()
        else:
            _show(found, code)
    except BourgError as error:
        layout.show_error(error)


def _chosen(observatory: Observatory, code: str, sent: tuple[str, bytes] | None) -> Footfall | None:
    """Return the series to show: the file sent, or one that the command line imported."""
    store = FootfallStore(observatory.settings.home)
    kept = {item.id: f"{item.answer.file} (importé sur ce serveur)" for item in store.listing(code)}
    names = ({_UPLOADED: f"{sent[0]} (envoyé dans cette session)"} if sent else {}) | kept
    if not names:
        return None
    chosen = next(iter(names))
    if len(names) > 1:
        chosen = st.selectbox("Série", list(names), format_func=names.__getitem__, key=f"commerces-serie-{code}")
    if chosen == _UPLOADED and sent is not None:
        return _read(*sent, timezone_of(code))
    return store.load(code, chosen)


@st.cache_resource(max_entries=4, show_spinner="Lecture du fichier…")
def _read(name: str, content: bytes, timezone: str) -> Footfall:
    # Only the last part of the name: it comes from a browser.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(name).name[-80:] or "comptages.csv")
        path.write_bytes(content)
        return read_footfall(path, timezone=timezone)


def _nothing() -> None:
    st.info(
        "Aucun comptage n'est importé pour cette commune : la page n'en invente pas. Un compteur à l'entrée d'une rue, "
        "un opérateur ou le gestionnaire du stationnement donnent un relevé par heure ; déposez-le ci-dessus, ou "
        "gardez-le sur le serveur avec la ligne de commande.",
        icon=":material/directions_walk:",
    )
    with st.expander("Le fichier attendu, et où en trouver un"):
        st.markdown(
            "- Une ligne par compteur et par période. Colonnes : `compteur`, `debut` (date et heure), `passages`, et "
            "la durée `duree_min` ou la fin `fin` ; `lieu`, `sens`, `longitude`, `latitude` si vous les avez.\n"
            "- Une période non mesurée reste vide : vide n'est pas zéro.\n"
            "- Les changements d'heure sont traités ; ce qui est refusé est compté et expliqué.\n"
            "- Où en trouver : services techniques (compteurs piétons et vélos), gestionnaire d'un parking, "
            "association de commerçants, portail de données ouvertes de la ville ou de l'intercommunalité."
        )
        st.code(_EXAMPLE.replace("\r\n", "\n"), language=None)
        st.download_button(
            "Modèle de fichier (CSV)", "\ufeff" + _EXAMPLE, "comptages-modele.csv", "text/csv",
            icon=":material/download:", key="commerces-comptage-modele", on_click="ignore",
        )  # fmt: skip


def _show(found: Footfall, code: str) -> None:
    items = summaries(found)
    st.html(wrap(answer_list(found.answer), counters_table(items)))
    names = {item.counter: item.place or item.counter for item in items}
    counters: list[str] | None = None
    if len(names) > 1:
        counters = st.multiselect(
            "Compteurs additionnés", list(names), format_func=names.__getitem__, default=list(names),
            key=f"commerces-compteurs-{code}",
        ) or None  # fmt: skip
    first, last = min(item.first for item in items), max(item.last for item in items)
    holidays = public_holidays(range(first.year, last.year + 1))
    aside = st.toggle("Sans les jours fériés", key=f"commerces-feries-{code}")
    without = holidays if aside else frozenset()
    st.subheader("Profil de la semaine", anchor="profil")
    try:
        week = profile(found, counters=counters, without=without)
        for text in profile_sentences(week):
            st.markdown(layout.plain(text))
        st.html(wrap(heat_table(week)))
    except BourgError as error:
        layout.show_error(error)
    st.subheader("Comparer deux périodes", anchor="periodes")
    _compare(found, code, (first, last), counters, without)


def _compare(
    found: Footfall,
    code: str,
    span: tuple[dt.date, dt.date],
    counters: list[str] | None,
    without: frozenset[dt.date],
) -> None:
    first, last = span
    if first == last:
        st.caption("Un seul jour est mesuré : il n'y a rien à comparer.")
        return
    middle = first + (last - first) // 2
    one, two = st.columns(2)
    with one:
        before = _period("Première période", (first, middle), span, f"commerces-avant-{code}")
    with two:
        after = _period("Seconde période", (middle + dt.timedelta(days=1), last), span, f"commerces-apres-{code}")
    if before is None or after is None:
        st.caption("Choisissez le premier et le dernier jour de chaque période.")
        return
    told = compare(found, before, after, counters=counters, without=without)
    st.markdown(layout.plain(told.sentence))
    st.html(wrap(comparison_table(told, *(f"du {format_date(a)} au {format_date(b)}" for a, b in (before, after)))))


def _period(
    label: str, default: tuple[dt.date, dt.date], span: tuple[dt.date, dt.date], key: str
) -> tuple[dt.date, dt.date] | None:
    """Return the two days chosen; ``None`` while only one is."""
    chosen = st.date_input(
        label, value=default, min_value=span[0], max_value=span[1], key=key, format="DD/MM/YYYY"
    )  # fmt: skip
    return (chosen[0], chosen[1]) if isinstance(chosen, tuple) and len(chosen) == 2 else None
