"""The page of culture in sentences, made from its values; what is not known is said, never passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bourg.culture.kinds import Kind
from bourg.indicators.engine import USABLE
from bourg.text import NBSP, count_of, format_number, format_value, join_words, plural

if TYPE_CHECKING:
    from bourg.portrait.themes.culture import CulturePage

DEMO = "◆"
# Kinds that a sentence names: the others stand in the table.
_TOLD = ("bibliotheque", "cinema", "theatre")
# Points of percentage between places and inhabitants under which one follows the other.
_CLOSE = 5


def mark(*, demo: bool) -> str:
    """Return the mark of generated values, after a no-break space."""
    return f"{NBSP}{DEMO}" if demo else ""


def share(value: float) -> str:
    """Return a percentage; what is not all is never written 100 %, what is not nothing is never written 0 %."""
    if 0 < value < 0.5:
        return f"moins de 1{NBSP}%"
    if 99.5 <= value < 100:
        return f"plus de 99{NBSP}%"
    return format_value(value, "%")


def kilometres(value: float) -> str:
    """Return ``1,2 km``; a whole number from 10 km on, or when it is one."""
    return format_value(value, "km", 0 if value >= 10 or value == round(value) else 1)


def any_of(kind: Kind) -> str:
    """Return « toute bibliothèque », « tout cinéma »."""
    return f"{'toute' if kind.words.startswith('une ') else 'tout'} {kind.label}"


def capital(text: str) -> str:
    """Return a text with its first letter in capital."""
    return text[:1].upper() + text[1:]


def summary_sentences(page: CulturePage) -> tuple[str, ...]:
    """Return what the page says first: places, kinds at home, concentration, deserts, festivals."""
    found = [_places(page), _served(page), _concentration(page), _deserts(page), _festivals(page)]
    return tuple(text for text in found if text)


def _places(page: CulturePage) -> str:
    made, where = page.breakdown, page.area.where
    if made is None:
        total = page.sheets.get("culture.places_count")
        if total is not None and total.status in USABLE:
            counted = "est compté" if (total.value or 0) < 2 else "sont comptés"
            return (
                f"{capital(where)}, {total.text} {counted}{mark(demo=total.demo)}, mais aucune liste lue n'en dit le "
                "genre : ce qui suit par type est inconnu, ce n'est pas zéro."
            )
        return f"Aucune liste lue ne décrit les lieux culturels {where} : ils sont inconnus, ce n'est pas zéro."
    if not made.total:
        return f"Aucun lieu culturel n'est recensé {where}{mark(demo=page.demo)}.{_nearest(page)}"
    rate = made.rate
    told = f", soit {format_number(rate, 1)} pour 1{NBSP}000 habitants" if rate is not None else ""
    count = count_of(made.total, "lieu culturel est recensé", "lieux culturels sont recensés")
    rest = _ranked(page) or _nearest(page)
    return f"{capital(where)}, {count}{mark(demo=page.demo)}{told} : {join_words(_parts(page))}.{rest}"


def _nearest(page: CulturePage) -> str:
    """Return where the nearest living place is, for a town that has none."""
    row = next((item for item in page.kinds if item.kind.id == "vivant"), None)
    if row is None or row.here != 0 or row.nearest_km is None or page.area.level != "commune":
        return ""
    place = f"{row.nearest or 'lieu sans nom'}, à {row.nearest_commune}" if row.nearest_commune else row.nearest or ""
    return f" Le lieu vivant le plus proche est à {kilometres(row.nearest_km)} de la mairie, à vol d'oiseau : {place}."


def _parts(page: CulturePage) -> list[str]:
    """Return the largest categories: living, heritage and neither in the brief's typology."""
    if page.breakdown is None:
        return []
    numbers = {item.id: item.n for item in page.breakdown.categories}
    if page.typology != "brief":
        first = sorted((item for item in page.breakdown.categories if item.n), key=lambda item: -item.n)[:3]
        return [f"{item.label} ({format_number(item.n)})" for item in first]
    living, heritage, neither = numbers["vivant"], numbers["patrimoine"], numbers["non_classe"]
    parts = [count_of(living, "lieu vivant", "lieux vivants") if living else "aucun lieu vivant"]
    parts.append(f"{format_number(heritage)} de patrimoine" if heritage else "aucun de patrimoine")
    return [*parts, f"{format_number(neither)} ni l'un ni l'autre"] if neither else parts


def _ranked(page: CulturePage) -> str:
    sheet = page.sheets.get("culture.living_per_1000")
    place = sheet.compared_with(page.chosen.comparator.id) if sheet is not None and page.chosen is not None else None
    if place is None:
        return ""
    # « valeur la plus élevée… » takes its article after « est ».
    sentence = f"la {place.sentence}" if place.sentence.startswith(("valeur", "même")) else place.sentence
    return f" Le nombre de lieux vivants par habitant est {sentence}."


def _served(page: CulturePage) -> str:
    told = [
        (row.kind, row.served.share)
        for row in page.kinds
        if row.kind.id in _TOLD and row.served is not None and row.served.share is not None
    ]
    if not told:
        return ""
    some = [(kind, value) for kind, value in told if value > 0]
    without = join_words([kind.label for kind, value in told if value == 0], "ni")
    none = f"{'Elle' if page.area.level == 'commune' and len(page.ring.codes) == 1 else 'Aucune'} n'a de {without}."
    prefix = "" if page.ring is page.area else f"{capital(page.ring.where)}, "
    if not some:
        return f"{prefix}aucune commune n'a de {without}{mark(demo=page.demo)}." if prefix else (
            f"Aucune commune n'a de {without}{mark(demo=page.demo)}."
        )  # fmt: skip
    (first, value), *rest = some
    parts = "".join(f", {share(other)} {kind.words}" for kind, other in rest)
    sentence = (
        f"{prefix}{share(value)} des habitants vivent dans une commune qui a {first.words}{parts}"
        f"{mark(demo=page.demo)}."
    )
    return f"{capital(sentence)} {none}" if without else capital(sentence)


def _concentration(page: CulturePage) -> str:
    found = page.concentration
    if found is None or found.main_places is None or found.main_people is None or len(page.ring.codes) < 2:
        return ""
    gap = found.main_places - found.main_people
    if abs(gap) <= _CLOSE:
        told = "les lieux suivent à peu près les habitants"
    else:
        told = f"les lieux sont plus {'rassemblés' if gap > 0 else 'dispersés'} que les habitants"
    return (
        f"{page.main_town}, la commune la plus peuplée, réunit {share(found.main_people)} des habitants et "
        f"{share(found.main_places)} des lieux vivants{mark(demo=page.demo)} : {told}."
    )


def _deserts(page: CulturePage) -> str:
    found, kind, where = page.deserts, page.deserts.kind, page.ring.where
    far, people, unknown = found.count("far"), found.people("far"), found.count("unknown")
    if unknown == len(page.ring.codes):
        return f"Les déserts culturels {where} sont inconnus : la liste des lieux n'y suffit pas."
    beyond = f"à plus de {kilometres(kind.desert_km)}, à vol d'oiseau, de {any_of(kind)}{mark(demo=page.demo)}."
    doubt = (
        f" Pour {count_of(unknown, 'commune')}, on ne sait pas : la liste des lieux ne dit rien des alentours, "
        "ou la position manque."
        if unknown
        else ""
    )
    if not far:
        return f"{'Aucune commune connue' if unknown else 'Aucune commune'} {_of(page)} n'est {beyond}{doubt}"
    told = f" ({share(found.share)} de la population)" if found.share is not None and people else ""
    return (
        f"{count_of(far, 'commune')} sur {format_number(len(page.ring.codes))}, où {plural(people, 'vit', 'vivent')} "
        f"{count_of(people, 'habitant')}{told}, {plural(far, 'est', 'sont')} {beyond}{doubt}"
    )


def _of(page: CulturePage) -> str:
    names = {
        "epci": "de l'intercommunalité", "departement": "du département", "region": "de la région",
        "france": "de France",
    }  # fmt: skip
    return names[page.ring.level]


def _festivals(page: CulturePage) -> str:
    own, around = page.festivals, page.festivals_around
    if own is None:
        return f"Aucune liste lue ne décrit les festivals {page.area.where} : ils sont inconnus, ce n'est pas zéro."
    sign, near = mark(demo=own.demo), ""
    if around is not None and page.area.level == "commune" and around.total > own.total:
        within = "toute l'intercommunalité" if page.ring.level == "epci" else "tout le département"
        near = f" Dans {within}, il y en a {format_number(around.total)}."
    if not own.total:
        return f"Aucun festival n'est recensé {page.area.where}{sign}.{near}"
    first = next(iter(own.disciplines)).lower()
    count = count_of(own.total, "festival est recensé", "festivals sont recensés")
    kinds = f"surtout « {first} »" if len(own.disciplines) > 1 else f"« {first} »"
    return f"{count} {page.area.where}{sign} ({kinds}) : des événements, comptés à part des lieux.{near}"
