"""The evolution of a town, or of a few towns: a chart for each series, with its table and its breaks."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from bourg.dashboard import layout
from bourg.portrait.chart_specs import evolution_spec, index_base_text, not_from_zero
from bourg.portrait.charts import (
    Evolution,
    Landmark,
    breaks_text,
    changes,
    drawable,
    evolution,
    landmark,
    summary,
    table_rows,
)
from bourg.portrait.observatory import Observatory
from bourg.portrait.side_by_side import legend, wrap, years_table
from bourg.text import count_of

# Drawn at once; the others are one click away, so that the page stays quick.
_FIRST = 4
_SETS = {"": "Aucun", "departement": "Département", "size_class": "Communes de même taille"}


@st.cache_data(max_entries=256, show_spinner=False)
def _series(snapshot_id: str, code: str, _observatory: Observatory) -> tuple[Evolution, ...]:
    del snapshot_id  # part of the cache key
    return evolution(_observatory, code)


@st.cache_data(max_entries=512, show_spinner=False)
def _landmark(snapshot_id: str, code: str, series_id: str, chosen: str, _observatory: Observatory) -> Landmark | None:
    del snapshot_id
    (made,) = evolution(_observatory, code, [series_id])
    (members,) = _observatory.comparators.of(code, [chosen])
    return landmark(_observatory, made, [*members.codes(_observatory.matrix), code], f"médiane des {members.among}")


def town_series(observatory: Observatory, code: str) -> tuple[Evolution, ...]:
    """Return the series of a commune, kept between two runs of the script."""
    return _series(observatory.snapshot.id, observatory.index.get(code).code, observatory)


def render_evolution(observatory: Observatory, code: str) -> None:
    """Draw the evolution charts of a commune: index 100 and a median beside it are options.

    Raises
    ------
    MalformedCodeError, UnknownTerritoryError
        When the code is not one of a commune.
    """
    series = town_series(observatory, code)
    shown = drawable(series)
    if not shown:
        st.info("Aucune série de plusieurs années ne décrit cette commune.", icon=":material/info:")
    else:
        index, chosen = _options(code)
        several = st.session_state.get(f"evolution-tout-{code}", False)
        columns: Sequence[DeltaGenerator] = ()
        for rank, item in enumerate(shown if several else shown[:_FIRST]):
            if rank % 2 == 0:
                # A row of its own: on a phone the charts keep their order.
                columns = st.columns(2, gap="large")
            reference = _landmark(observatory.snapshot.id, item.code, item.id, chosen, observatory) if chosen else None
            with columns[rank % 2]:
                draw([item], index=index, reference=reference, key=f"evolution-{item.id}")
        if len(shown) > _FIRST:
            rest = len(shown) - _FIRST
            st.toggle(f"Montrer aussi {count_of(rest, 'autre série', 'autres séries')}", key=f"evolution-tout-{code}")
    _absent(series)


def _options(code: str) -> tuple[bool, str]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        index = st.toggle("Indice 100 au départ", key=f"evolution-indice-{code}", help=index_base_text())
        chosen = st.selectbox(
            "Médiane montrée à côté", list(_SETS), format_func=_SETS.__getitem__, key=f"evolution-repere-{code}",
            width=280,
        )  # fmt: skip
    return index, chosen


def draw(
    series: Sequence[Evolution], *, index: bool, reference: Landmark | None = None, key: str, title: bool = True
) -> None:
    """Draw one series for one or several towns, what must be known of it, and the table of its points."""
    first = series[0]
    demo = f" {layout.DEMO_MARK}" if any(item.demo for item in series) else ""
    unit = "indice 100 au départ" if index else first.unit
    if title:
        st.markdown(f"**{first.label}**{demo}  \n:small[{unit}]")
    spec = evolution_spec(series, index=index, landmark=reference)
    if len(series) > 1:
        st.html(wrap(legend([item.name for item in series])))
    # Vega-Lite's own description is the accessible name of the chart.
    st.vega_lite_chart(spec, width="stretch", key=key)
    lines = [summary(first) if len(series) == 1 else changes(series)]
    if reference:
        lines.append(f"En pointillé gris : {reference.label}.")
    if any(point.status == "secret" for item in series for point in item.points):
        lines.append("✕ : secret statistique, ce n'est pas un zéro.")
    lines += breaks_text(series)
    if not_from_zero(series, index=index, landmark=reference):
        lines.append("L'axe vertical ne part pas de zéro.")
    st.caption("  \n".join(layout.plain(line) for line in lines if line))
    names = [item.name for item in series]
    notes = [*([first.note] if first.note else []), f"Sources : {', '.join(first.sources)}."]
    st.html(wrap(years_table(first.label, names, table_rows(series, index=index), notes)))


def _absent(series: Sequence[Evolution]) -> None:
    absent = [item for item in series if item.reason]
    if absent:
        with st.expander(f"{count_of(len(absent), 'série')} sans courbe, et pourquoi"):
            st.markdown("\n".join(f"- {item.label} : {layout.plain(item.reason)}" for item in absent))


def render_evolutions(observatory: Observatory, codes: Sequence[str]) -> None:
    """Draw one series for several towns, chosen on the page."""
    by_town = {code: {item.id: item for item in town_series(observatory, code)} for code in codes}
    labels: dict[str, str] = {}
    for found in by_town.values():
        labels.update({item.id: item.label for item in drawable(found.values())})
    if not labels:
        st.info("Aucune série de plusieurs années ne décrit ces communes.", icon=":material/info:")
        return
    order = [name for name in next(iter(by_town.values())) if name in labels]
    order += [name for name in labels if name not in order]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Série", order, format_func=labels.__getitem__, key="comparer-serie", width=420
        )  # fmt: skip
        index = st.toggle("Indice 100 au départ", value=True, key="comparer-indice", help=index_base_text())
    known = [found[chosen] for found in by_town.values() if chosen in found]
    shown = drawable(known)
    draw(shown, index=index, key=f"comparer-evolution-{chosen}")
    _absent_towns([item for item in known if item.reason])


def _absent_towns(absent: Sequence[Evolution]) -> None:
    if absent:
        st.caption("  \n".join(f"{layout.plain(item.name)} : {layout.plain(item.reason)}." for item in absent))
