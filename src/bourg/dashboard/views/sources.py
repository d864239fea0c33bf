"""Sources and method: what was read, what was not, and how every figure is computed."""

from __future__ import annotations

import streamlit as st

from bourg.dashboard import layout
from bourg.indicators.registry import load_indicators
from bourg.sources.model import load_catalogue
from bourg.text import count_of, format_number

_ORIGINS = {
    "mirror": "fichier officiel (miroir)",
    "fetched": "fichier officiel téléchargé",
    "registry": "officiel, via un paquet public",
    "demo": "◆ démonstration, fabriqué",
}


def render() -> None:
    """Draw the page."""
    observatory = layout.observatory()
    read = {(item["id"], item["resource"]): item for item in observatory.sources()}
    report = {
        (item["source"], item["ressource"]): item for item in observatory.snapshot.read_json("report.json")["sources"]
    }
    st.title("Sources et méthode")
    st.write(
        "Chaque chiffre de l'observatoire vient d'un fichier public. Voici ceux de cet instantané, ce qui en a été "
        "écarté ou réparé, et ceux qui manquent."
    )
    st.header("Ce qui a été lu", divider="gray")
    rows = []
    for (source_id, resource_id), item in read.items():
        source = load_catalogue()[source_id]
        told = report[(source_id, resource_id)]
        rejected = sum(entry["nombre"] for entry in told["rejets"].values())
        rows.append({
            "Source": source.title, "Origine": _ORIGINS[item["origin"]], "Millésime": item["vintage"],
            "Lignes gardées": format_number(told["lignes_gardees"]), "Écartées": format_number(rejected),
            "Producteur": source.producer, "Licence": source.licence,
        })  # fmt: skip
    st.table(rows, hide_index=True)
    missing = [source for source in load_catalogue().values() if source.id not in {name for name, _ in read}]
    if missing:
        st.header("Ce qui manque ici", divider="gray")
        st.markdown(
            "\n".join(
                f"- {source.title} ({source.producer}) : à télécharger sur le serveur par `bourg fetch {source.id}`."
                for source in missing
            )
        )
    for failure in observatory.snapshot.read_json("report.json")["echecs"]:
        told = f"{failure['source']} / {failure['ressource']} : {failure['quoi']} {failure['pourquoi']}"
        st.error(layout.plain(told))
    st.header("Limites de chaque source", divider="gray")
    for source in load_catalogue().values():
        with st.expander(source.title):
            facts = (source.producer, source.licence, f"mise à jour : {source.rhythm}")
            st.markdown(" · ".join([*facts, f"[page officielle]({source.landing_page})"]))
            st.markdown("\n".join(f"- {text}" for text in source.caveats) or "Aucune limite signalée.")
            for item in (item for (source_id, _), item in report.items() if source_id == source.id):
                st.caption(f"{layout.plain(item['fichier'])} (sha256 {item['sha256'][:12]}…)")
                for reason, entry in item["rejets"].items():
                    st.markdown(f"- écarté : {format_number(entry['nombre'])} × {layout.plain(reason)}")
                for what, count in item["reparations"].items():
                    st.markdown(f"- réparé : {format_number(count)} × {layout.plain(what)}")
    indicators = load_indicators()
    st.header(f"Les {count_of(len(indicators), 'indicateur')}", divider="gray")
    st.table(
        [
            {"Indicateur": i.declaration.label, "Unité": i.declaration.unit, "Formule": i.declaration.formula}
            for i in indicators.values()
        ],
        hide_index=True,
    )
