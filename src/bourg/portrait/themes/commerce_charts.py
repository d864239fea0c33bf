"""Charts of the evolution of shops as Vega-Lite specifications: plain dictionaries that name no address."""

from __future__ import annotations

from typing import Any

from bourg.portrait.chart_specs import LOCALE, NEUTRAL, PALETTE, SCHEMA
from bourg.portrait.themes.commerce_flows import Flows
from bourg.text import count_of, format_number, format_value

_OPENED, _CLOSED, _NET = "Ouvertures", "Fermetures", "Solde"


def _base(description: str, height: int) -> dict[str, Any]:
    return {
        "$schema": SCHEMA,
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {"locale": LOCALE, "view": {"stroke": None}},
    }


def flows_spec(flows: Flows, name: str, *, height: int = 280) -> dict[str, Any]:
    """Return openings above zero, closures under it, and the line of their difference, by year."""
    rows, net = [], []
    for year, opened, closed, difference, _ in flows.years.iter_rows():
        rows.append({"year": year, "what": _OPENED, "n": opened, "text": count_of(opened, "ouverture")})
        rows.append({"year": year, "what": _CLOSED, "n": -closed, "text": count_of(closed, "fermeture")})
        net.append({"year": year, "what": _NET, "n": difference,
                    "text": f"solde {'+' if difference > 0 else ''}{format_number(difference)}"})  # fmt: skip
    tooltip = [
        {"field": "year", "type": "nominal", "title": "Année"},
        {"field": "text", "type": "nominal", "title": "Commerces"},
    ]
    colour = {
        "field": "what", "type": "nominal",
        "scale": {"domain": [_OPENED, _CLOSED, _NET], "range": [PALETTE[2], PALETTE[0], NEUTRAL]},
        "legend": {"title": None, "orient": "top"},
    }  # fmt: skip
    y = {"field": "n", "type": "quantitative", "stack": None,
         "axis": {"title": None, "labelExpr": "format(abs(datum.value), 'd')", "tickMinStep": 1}}  # fmt: skip
    encoding = {"y": y, "color": colour, "tooltip": tooltip}
    opened, closed = int(flows.years["opened"].sum()), int(flows.years["closed"].sum())
    years = flows.years["year"].to_list()
    told = (
        f"{name}, de {years[0]} à {years[-1]} : {count_of(opened, 'ouverture')} (vers le haut), "
        f"{count_of(closed, 'fermeture')} (vers le bas). Les mêmes nombres sont dans le tableau qui suit."
    )
    return {
        **_base(told, height),
        "encoding": {
            "x": {"field": "year", "type": "ordinal", "axis": {"title": None, "labelAngle": 0, "labelOverlap": True}}
        },
        "layer": [
            {"data": {"values": rows}, "mark": {"type": "bar"}, "encoding": encoding},
            {"data": {"values": net}, "encoding": encoding,
             "mark": {"type": "line", "strokeWidth": 2.4, "point": {"filled": True, "size": 40}}},
        ],
    }  # fmt: skip


def survival_spec(flows: Flows, name: str, set_label: str, *, height: int = 280) -> dict[str, Any]:
    """Return the share of shops still open by age, for the town and for the towns compared put together."""
    labels = {"ville": name, "ensemble": set_label}
    present = [who for who in labels if who in set(flows.survival["who"])]
    rows = [
        {"who": labels[who], "age": age, "percent": percent, "text": format_value(percent, "%", 1)}
        for who in present
        for age, percent in [(0, 100.0), *(
            (age + 1, round(share, 2))
            for other, age, _, _, share in flows.survival.iter_rows() if other == who
        )]
    ]  # fmt: skip
    domain = [labels[who] for who in present]
    styles = {"ville": (PALETTE[0], [1, 0]), "ensemble": (PALETTE[1], [6, 4])}
    colour, dash = (
        {"field": "who", "type": "nominal",
         "scale": {"domain": domain, "range": [styles[who][index] for who in present]},
         "legend": {"title": None, "orient": "top", "labelLimit": 320}}
        for index in (0, 1)
    )  # fmt: skip
    y = {"field": "percent", "type": "quantitative", "scale": {"domain": [0, 100]},
         "axis": {"title": None, "labelExpr": "datum.label + ' %'", "tickCount": 5}}  # fmt: skip
    ends = [
        f"{labels[who]} : {points[-1]['text']} après {count_of(points[-1]['age'], 'an')}"
        for who in present
        if len(points := [row for row in rows if row["who"] == labels[who]]) > 1
    ]
    told = f"Part des commerces encore ouverts selon leur âge. {' ; '.join(ends)}. Les mêmes points sont en tableau."
    return {
        **_base(told, height),
        "data": {"values": rows},
        "mark": {"type": "line", "strokeWidth": 2.4, "point": {"filled": True, "size": 45}},
        "encoding": {
            "x": {"field": "age", "type": "quantitative",
                  "axis": {"title": "années depuis l'ouverture", "format": "d", "tickMinStep": 1, "grid": False}},
            "y": y, "color": colour, "strokeDash": dash,
            "tooltip": [{"field": "who", "type": "nominal", "title": "Où"},
                        {"field": "age", "type": "quantitative", "title": "Après (ans)"},
                        {"field": "text", "type": "nominal", "title": "Encore ouverts"}],
        },
    }  # fmt: skip
