"""Map of any indicator around a town: by commune, by intercommunality or by department."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl
import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.layer_map import PATTERNS, Feature, Layer, Legend, LegendItem, layer_map
from bourg.errors import BourgError, ParameterError
from bourg.indicators.registry import Declaration, get_indicator, load_indicators
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.values import status_explanation, value_text
from bourg.maps.choropleth import Classes, classify, palette_of
from bourg.portrait.mesh import CARTES, UNIT_WORDS, Cell, Mesh, available, mesh_of, read_cells, values_csv
from bourg.portrait.observatory import Observatory
from bourg.text import count_of, join_words, plural

FIRST_INDICATOR = "population.change_annual"
_STATE, _ADDRESS = "choroplethe-etat", "choroplethe-adresse"
_THEME, _INDICATOR, _CARTE = "choroplethe-theme", "choroplethe-indicateur", "choroplethe-carte"
_NAMED = 12
_HEIGHT = 460


@st.cache_data(max_entries=256, show_spinner=False)
def _cells(
    snapshot_id: str, indicator: str, level: str, codes: tuple[str, ...], _observatory: Observatory
) -> dict[str, Cell]:
    """Return the value of every unit: one filtered scan of the table of values."""
    del snapshot_id  # part of the cache key
    return read_cells(_observatory, indicator, level, codes)


def render_choropleth(observatory: Observatory, code: str, *, key: str = "choroplethe") -> None:
    """Draw the choice of an indicator and of a territory, the map, its legend and its table.

    The state is in the address: ``?indicateur=housing.vacancy_rate&carte=departement``. It is a fragment: a choice
    runs this part of the page only.

    Parameters
    ----------
    observatory
        The snapshot in service.
    code
        INSEE code of the town.
    key
        Prefix of the map's key; a page shows one choropleth, because the address holds one state.

    Raises
    ------
    UnknownTerritoryError
        When the code names no commune.
    """
    _fragment(observatory.commune(code)["code"], key)


@st.fragment
def _fragment(code: str, key: str) -> None:
    observatory = layout.observatory()
    try:
        _draw(observatory, code, key)
    except BourgError as error:
        layout.show_error(error)


def _draw(observatory: Observatory, code: str, key: str) -> None:
    cartes = available(observatory, code)
    for problem in _restore(cartes):
        layout.show_error(problem)
    indicator, carte = _choices(cartes)
    declared = get_indicator(indicator).declaration
    mesh = mesh_of(observatory, code, carte)
    if mesh.level not in declared.levels:
        one, many = UNIT_WORDS[mesh.level]
        st.info(
            f"« {declared.label} » n'est pas calculé par {one}. Choisissez une carte par "
            f"{join_words([UNIT_WORDS[level][0] for level in declared.levels if level in UNIT_WORDS], 'ou')}, "
            f"ou un chiffre qui existe pour les {many}.",
            icon=":material/info:",
        )
        return
    cells = _cells(observatory.snapshot.id, indicator, mesh.level, tuple(sorted(mesh.units)), observatory)
    _map(observatory, declared, mesh, cells, f"{key}-dessin")
    _remarks(declared, mesh, cells)
    _table(declared, mesh, cells, key)


# ---- State -----------------------------------------------------------------------------------------------------------


def _restore(cartes: Sequence[str]) -> list[BourgError]:
    """Take the state from the address when it says something new; return what it says wrongly."""
    address = (st.query_params.get("indicateur"), st.query_params.get("carte"))
    indicator, carte = st.session_state.get(_STATE, (FIRST_INDICATOR, cartes[0]))
    problems: list[BourgError] = []
    fresh = any(address) and address != st.session_state.get(_ADDRESS)
    if fresh and address[0]:
        try:
            indicator = get_indicator(address[0]).id
        except BourgError as error:
            problems.append(error)
    if fresh and address[1]:
        if address[1] in CARTES:
            carte = address[1]
        else:
            problems.append(
                ParameterError(
                    f"La carte « {address[1][:60]} » n'existe pas ; elle est ignorée.",
                    where="?carte=",
                    next_step=f"choisissez parmi : {', '.join(cartes)}.",
                )
            )
    if carte not in cartes:
        if carte == (address[1] if fresh else None):
            problems.append(ParameterError(f"La carte « {CARTES[carte]} » n'existe pas pour cette commune."))
        carte = cartes[0]
    theme = get_indicator(indicator).declaration.theme
    wanted = {_THEME: theme, f"{_INDICATOR}-{theme}": indicator, _CARTE: carte}
    for name, value in wanted.items():
        # The address wins over the widgets; else they keep what was chosen, unless another page made them forget it.
        if fresh or name not in st.session_state or st.session_state[_CARTE] not in cartes:
            st.session_state[name] = value
    return problems


def _choices(cartes: Sequence[str]) -> tuple[str, str]:
    """Draw the three lists, write the choice in the address, and return it."""
    by_theme: dict[str, dict[str, str]] = {}
    for name, item in load_indicators().items():
        by_theme.setdefault(item.declaration.theme, {})[name] = _label(item.declaration)
    themes = [theme for theme in THEMES if theme in by_theme]
    columns = st.columns([1, 1.6, 1.3])
    theme = columns[0].selectbox("Thème", themes, format_func=THEMES.__getitem__, key=_THEME)
    labels = by_theme[theme]
    indicator = columns[1].selectbox(
        "Chiffre", list(labels), format_func=labels.__getitem__, key=f"{_INDICATOR}-{theme}"
    )
    carte = columns[2].selectbox("Territoire", cartes, format_func=CARTES.__getitem__, key=_CARTE)
    before = st.session_state.get(_STATE, (FIRST_INDICATOR, cartes[0]))
    st.session_state[_STATE] = (indicator, carte)
    # The address stays short until something is chosen.
    if (indicator, carte) != before or any(name in st.query_params for name in ("indicateur", "carte")):
        st.query_params["indicateur"], st.query_params["carte"] = indicator, carte
        st.session_state[_ADDRESS] = (indicator, carte)
    return indicator, carte


def _label(declared: Declaration) -> str:
    # « Lieux culturels (lieux) » would say it twice.
    told = not declared.unit or declared.unit.split()[0].casefold() in declared.label.casefold().split()
    return declared.label if told else f"{declared.label} ({declared.unit})"


# ---- Map -------------------------------------------------------------------------------------------------------------


def _text(declared: Declaration, cell: Cell) -> str:
    """Return the value as it is read: with its period, its mark, or the reason why there is none."""
    text = value_text(declared.id, cell.value, cell.status)
    mark = f" {layout.DEMO_MARK}" if cell.status == "demo" else ""
    note = ", valeur estimée" if cell.status == "estimated" else ""
    period = f" ({cell.period})" if cell.known is not None and cell.period else ""
    return f"{text}{mark}{note}{period}"


def _classes(declared: Declaration, values: Sequence[float | None]) -> Classes:
    return classify(values, decimals=declared.decimals, change=declared.kind == "change")


def _map(observatory: Observatory, declared: Declaration, mesh: Mesh, cells: Mapping[str, Cell], key: str) -> None:
    classes = _classes(declared, [cells[code].known for code in mesh.units])
    palette = palette_of(classes)
    features = {
        code: Feature(
            name=name,
            text=f"{declared.label} :\n{_text(declared, cells[code])}",
            colour=index,
            pattern=next((item for item in PATTERNS if index is None and item == cells[code].status), None),
            href=f"/ville?commune={code}" if mesh.level == "commune" else None,
        )
        for (code, name), index in zip(mesh.units.items(), classes.index, strict=True)
    }
    layers = [Layer("valeurs", "polygons", mesh.sources, features, palette=palette, label=declared.label)]
    if mesh.own is not None:
        own = {mesh.own: Feature(mesh.units[mesh.own])}
        layers.append(Layer("ville", "polygons", mesh.sources, own, style="outline", interactive=False))
    result = layer_map(
        key=key,
        layers=layers,
        bounds=mesh.bounds,
        height=_HEIGHT,
        legend=_legend(declared, mesh, cells, classes),
        label=f"{declared.label} : {mesh.title}, par {UNIT_WORDS[mesh.level][0]}",
        snapshot_id=observatory.snapshot.id,
        picker="valeurs",
        link_label="Voir la page de la commune",
    )
    if result.opened is not None and result.opened in mesh.units and mesh.level == "commune":
        st.switch_page(layout.page("ville"), query_params=_address_of(result.opened))


def _address_of(code: str) -> dict[str, str]:
    """Return the address of the page of another town, with everything else as it is."""
    return {**{name: st.query_params[name] for name in st.query_params}, "commune": code}


def _legend(declared: Declaration, mesh: Mesh, cells: Mapping[str, Cell], classes: Classes) -> Legend:
    words = UNIT_WORDS[mesh.level]
    items = [
        LegendItem(
            item.label(declared.unit, declared.decimals) + (" (valeur nulle)" if item.sign == "zero" else ""),
            count_of(item.count, *words),
            colour=position,
        )
        for position, item in enumerate(classes.items)
    ]
    statuses = Counter(cell.status for cell in cells.values() if cell.known is None)
    items += [
        LegendItem(
            value_text(declared.id, None, pattern).capitalize(), count_of(statuses[pattern], *words), None, pattern
        )
        for pattern in PATTERNS
        if statuses[pattern]
    ]
    demo = any(cell.status == "demo" for cell in cells.values())
    periods = sorted({cell.period for cell in cells.values() if cell.known is not None and cell.period})
    when = f", {' à '.join(dict.fromkeys((periods[0], periods[-1])))}" if periods else ""
    return Legend(
        title=f"{_label(declared)}{f' {layout.DEMO_MARK}' if demo else ''} — {mesh.title}{when}",
        items=items,
        palette=palette_of(classes),
    )


def _remarks(declared: Declaration, mesh: Mesh, cells: Mapping[str, Cell]) -> None:
    """Say what the map does not show: shapes without outline, totals, generated values."""
    remarks = []
    if declared.kind == "count" and mesh.level in UNIT_WORDS:
        remarks.append("C'est un nombre, pas un taux : il suit d'abord la taille des territoires.")
    if any(cell.status == "demo" for cell in cells.values()):
        remarks.append(f"{layout.DEMO_MARK} {status_explanation('demo')}")
    if all(cell.known is None for cell in cells.values()):
        remarks.append(
            "Aucun de ces territoires n'a de valeur connue : choisissez un autre chiffre ou un autre territoire."
        )
    if mesh.undrawn:
        names = sorted(mesh.units[code] for code in mesh.undrawn)
        more = f" et {len(names) - _NAMED} autres" if len(names) > _NAMED else ""
        count = count_of(len(names), *UNIT_WORDS[mesh.level])
        remarks.append(
            f"{count} sans contour dans la source, {plural(len(names), 'absente', 'absentes')} de la carte mais "
            f"{plural(len(names), 'comptée', 'comptées')} dans la légende et dans le tableau : "
            f"{layout.plain(', '.join(names[:_NAMED]))}{more}."
        )
    if remarks:
        st.caption("  \n".join(remarks))


# ---- Table -----------------------------------------------------------------------------------------------------------


def _table(declared: Declaration, mesh: Mesh, cells: Mapping[str, Cell], key: str) -> None:
    rows = [(mesh.units[code], code, cells[code]) for code in mesh.units]
    word = UNIT_WORDS[mesh.level][0].capitalize()
    with st.expander(f"Le même contenu en tableau ({count_of(len(rows), *UNIT_WORDS[mesh.level])})"):
        frame = pl.DataFrame(
            {
                word: [name for name, _, _ in rows],
                "Valeur": [None if cell.known is None else round(cell.known, declared.decimals) for _, _, cell in rows],
                "Lecture": [_text(declared, cell) for _, _, cell in rows],
                "Code": [code for _, code, _ in rows],
            },
            schema_overrides={"Valeur": pl.Float64},
        )
        st.dataframe(
            frame,
            hide_index=True,
            width="stretch",
            column_config={"Valeur": st.column_config.NumberColumn(_label(declared), format="localized")},
        )
        st.download_button(
            "Télécharger ce tableau (CSV)",
            values_csv(declared, rows),
            f"carte-{declared.id}-{mesh.level}.csv",
            "text/csv",
            icon=":material/download:",
            key=f"{key}-csv",
            on_click="ignore",
        )
