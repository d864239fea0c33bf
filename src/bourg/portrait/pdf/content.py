"""What the PDF says: the portrait as plain JSON types, every text set in French type and every number written.

The template places and draws; it decides nothing. Texts reach it as data and never as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bourg.compare.comparators import comparators
from bourg.compare.similar import Neighbour, label_of
from bourg.indicators.engine import USABLE
from bourg.indicators.parameters import parameter
from bourg.indicators.values import SourceNote
from bourg.portrait.charts import Evolution, breaks_text, drawable, summary
from bourg.portrait.document import Portrait
from bourg.portrait.drawings import starts_above_zero
from bourg.portrait.markup import sentence, typeset
from bourg.portrait.observatory import Observatory
from bourg.portrait.page import TownPage, chosen_set
from bourg.portrait.pdf.drawings import chart_drawing, map_drawing
from bourg.portrait.pdf.figures import comparator_of, key_card, key_sheets, theme_tables
from bourg.portrait.pdf.maps import epci_map
from bourg.portrait.strips import SHORT
from bourg.text import count_of, format_date, format_number, format_value, join_words

_SIMILAR_SHOWN = 8
_MOST_CHARTS = 6


def town_title(portrait: Portrait) -> str:
    """Return « Millau (Aveyron) : portrait de la commune »."""
    return typeset(f"{portrait.identity.name} ({portrait.identity.departement['nom']}) : portrait de la commune")


def pdf_content(page: TownPage, observatory: Observatory) -> dict[str, Any]:
    """Return everything the template shows.

    Parameters
    ----------
    page
        The portrait, its series and the map that locates the town.
    observatory
        Where the names of the similar towns' departments are found.

    Returns
    -------
    dict
        Plain JSON types; texts without control characters nor marks of direction.
    """
    portrait = page.portrait
    identity = portrait.identity
    snapshot = portrait.snapshot
    comparator = comparator_of(portrait)
    known, unknown = theme_tables(portrait, comparator)
    date = format_date(snapshot["date"][:10])
    return {
        "title": town_title(portrait),
        "name": typeset(identity.name),
        "where": typeset(f"{identity.departement['nom']} ({identity.departement['code']})"),
        "departement": typeset(identity.departement["nom"]),
        "region": typeset(identity.region["nom"] or ""),
        "headline": typeset(portrait.headline()),
        "demo": any(sheet.demo for sheet in portrait.sheets.values()) or any(item.demo for item in page.series),
        "date": typeset(date),
        "edition": typeset(f"Instantané {snapshot['id']} du {date}, géographie au 1er janvier {snapshot['cog']}"),
        "map": map_drawing(page.map_svg, _map_alt(portrait)),
        "epci": epci_map(observatory, identity.code),
        "identity": [[typeset(name), typeset(text)] for name, text in _identity(portrait)],
        "keys": [key_card(sheet, comparator) for sheet in key_sheets(portrait)],
        "among": typeset(SHORT[comparator]),
        "apart": _apart(portrait),
        "themes": known,
        "unknown": unknown,
        "evolutions": [_evolution(item) for item in drawable(page.series)[:_MOST_CHARTS]],
        "undrawn": typeset(_undrawn(drawable(page.series)[_MOST_CHARTS:])),
        "silent": [typeset(f"{item.label} : {item.reason}") for item in page.series if item.reason],
        "similar": _similar(portrait, observatory),
        "method": [typeset(text) for text in _method(portrait)],
        "statuses": [[typeset(name), typeset(text)] for name, text in _STATUSES],
        "sources": _sources(portrait),
        "drawn": typeset(_other_sources(portrait, page.series)),
    }


def _map_alt(portrait: Portrait) -> str:
    identity = portrait.identity
    around = identity.epci["nom"] if identity.epci else "aucune intercommunalité"
    return typeset(f"Carte de situation : {identity.name}, {around}, département {identity.departement['nom']}.")


def _identity(portrait: Portrait) -> list[tuple[str, str]]:
    identity = portrait.identity
    hall, council = identity.town_hall, identity.council
    people = (
        f"{count_of(identity.population, 'habitant')} ({identity.population_year})"
        if identity.population is not None
        else "donnée manquante"
    )
    rows = [("Population", people)]
    if identity.area_km2 is not None:
        rows.append(("Superficie", format_value(identity.area_km2, "km²", 1)))
    rows += [
        ("Code Insee", identity.code),
        ("Code postal" if len(identity.postal_codes) < 2 else "Codes postaux", ", ".join(identity.postal_codes)),
        ("Intercommunalité", identity.epci["nom"] if identity.epci else "aucune"),
        ("Petites Villes de demain", _programme(identity.pvd)),
        ("Type de petite ville", portrait.profile.title if portrait.profile else ""),
        ("Mairie", (hall.get("adresse") or "").replace("\n", ", ")),
        ("Téléphone", hall.get("telephone") or ""),
    ]
    if seats := council.get("sieges"):
        women = int(council.get("femmes") or 0)
        rows.append(
            ("Conseil municipal", count_of(seats, "siège") + (f", dont {count_of(women, 'femme')}" if women else ""))
        )
    return [(name, text) for name, text in rows if text]


def _programme(pvd: dict[str, Any]) -> str:
    mark = " (liste de démonstration ◆)" if pvd["demo"] else ""
    if pvd["beneficiaire"] is None:
        return "donnée manquante : aucune liste lue"
    if not pvd["beneficiaire"]:
        return f"non{mark}"
    since = f", depuis le {format_date(pvd['depuis'])}" if pvd["depuis"] else ""
    return f"oui{since}{mark}"


def _apart(portrait: Portrait) -> dict[str, Any]:
    found = portrait.specificities[chosen_set(portrait)]
    label = comparators()[found.comparator].label.lower()
    # A portrait cut down to a theme tells what sets the town apart in that theme.
    told = [trait.sentence for trait in found.traits if trait.indicator in portrait.sheets]
    message = found.message or ("" if told else "Aucun chiffre de ce thème n’est parmi ce qui la distingue le plus.")
    return {"among": typeset(label), "message": typeset(message), "traits": [typeset(text) for text in told]}


def _evolution(item: Evolution) -> dict[str, Any]:
    notes = [summary(item), "L’axe ne part pas de zéro." if starts_above_zero(item) else ""]
    notes += [sentence(text) for text in breaks_text([item])]
    notes.append(item.note)
    unit = f" ({item.unit})" if item.unit else ""
    values = ", ".join(f"{point.year} : {point.text}" for point in item.points)
    return {
        "label": typeset(item.label + unit), "demo": item.demo, "notes": typeset(" ".join(filter(None, notes))),
        "chart": chart_drawing(item, typeset(f"Courbe. {item.label}. {values}.")),
    }  # fmt: skip


def _undrawn(series: Sequence[Evolution]) -> str:
    labels = ", ".join(item.label for item in series)
    return f"Autres courbes, sur la page publique de la commune : {labels}." if labels else ""


def _similar(portrait: Portrait, observatory: Observatory) -> dict[str, Any]:
    found = portrait.similar
    if found is None or not found.neighbours:
        why = found.message if found else "L’instantané n’a pas les données qui permettent de les trouver."
        return {"message": typeset(why), "rows": []}
    rows = []
    for near in found.neighbours[:_SIMILAR_SHOWN]:
        row = observatory.commune(near.code)
        people = row["population"]
        rows.append({
            "name": typeset(near.name), "where": typeset(f"{row['departement_name']} ({row['departement']})"),
            "people": format_number(people) if people is not None else "donnée manquante",
            "why": typeset(_alike(near)), "demo": near.demo,
        })  # fmt: skip
    return {"message": typeset(found.message), "rows": rows}


def _alike(near: Neighbour) -> str:
    """Return why a town is alike in a few words: the numbers are on the page that puts the towns side by side."""
    parts = [f"Proche par {join_words([label_of(item.indicator) for item in near.reasons])}"] if near.reasons else []
    if (gap := near.main_difference) is not None:
        told = f"{label_of(gap.indicator)} ({gap.neighbour_text} contre {gap.value_text} ici)"
        parts.append(f"{'diffère' if parts else 'Diffère'} surtout par {told}")
    return f"{' ; '.join(parts)}." if parts else ""


_STATUSES = (
    ("Donnée manquante", "aucune source lue ne décrit entièrement la commune : ce n’est pas un zéro."),
    ("Secret statistique", "le chiffre n’est pas publié, pour protéger les personnes : ce n’est pas un zéro."),
    ("Sans objet", "le calcul n’a pas de sens ici : dénominateur nul, ou rupture de série."),
    ("Non accessible", "aucun trajet n’existe dans la limite étudiée."),
    ("Estimée", "la valeur vient d’un calcul approché, que décrit la formule du chiffre."),
    ("◆", "valeur de démonstration, fabriquée dans le format officiel : elle ne dit rien de la commune réelle."),
)


def _method(portrait: Portrait) -> list[str]:
    least = int(parameter("ranking_min_set"))
    chosen = next((item for item in portrait.sets if item.comparator.id == comparator_of(portrait)), None)
    among = chosen.among if chosen is not None and chosen.status in ("ok", "small") else "communes de même taille"
    return [f"Les chiffres sont comparés à ceux des {among}. {_RANKS} sous {least} communes connues.", _ALIKE, _CHOSEN]


_RANKS = (
    "« Plus que 72 % » veut dire que 72 % de ces communes ont une valeur plus basse ; un rang se lit de la valeur la "
    "plus élevée à la plus basse. Être haut ou bas n’est ni bien ni mal. Rien n’est comparé"
)
_ALIKE = (
    "Les villes semblables le sont par ce dont une ville est faite (taille, âges, logements, place dans son "
    "territoire), jamais par les résultats que l’on veut comparer. Ce qui distingue la commune est ce qui s’écarte "
    "le plus de la médiane de son ensemble, à l’échelle des écarts habituels."
)
_CHOSEN = (
    "Dans chaque thème figurent les chiffres clés, puis ceux où la commune est la plus loin du milieu du classement. "
    "Tous les autres, avec leur formule, leurs limites et leur source, sont sur la page publique de la commune et dans "
    "le fichier JSON du portrait."
)


def _sources(portrait: Portrait) -> list[dict[str, Any]]:
    used: dict[SourceNote, int] = {}
    for sheet in portrait.sheets.values():
        for source in sheet.sources if sheet.status in USABLE else ():
            used[source] = used.get(source, 0) + 1
    return [
        {
            "title": typeset(source.title), "producer": typeset(source.producer), "vintage": typeset(source.vintage),
            "licence": typeset(source.licence), "count": format_number(used[source]),
            # Only the web: an address of the catalogue never becomes a script.
            "link": source.landing_page if source.landing_page.startswith(("https://", "http://")) else "",
        }
        for source in sorted(used, key=lambda note: (note.title, note.id))
    ]  # fmt: skip


def _other_sources(portrait: Portrait, series: Sequence[Evolution]) -> str:
    listed = {source["title"] for source in _sources(portrait)}
    others = sorted({title for item in drawable(series) for title in map(typeset, item.sources)} - listed)
    return f"Évolutions, en plus de ces sources : {', '.join(others)}." if others else ""
