"""Sentences of the page of energy: they describe, and never tell a cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bourg.energy.bounds import KnownEnergy
from bourg.indicators.values import ValueSheet
from bourg.portrait.themes.energy_model import Place, Register, SectorLine, State, usable
from bourg.text import NBSP, count_of, format_number, format_value, join_words

# Written with a unit that a reader can compare: five digits at most.
_GIGA, _TERA = 10_000, 1_000_000
_OPERATORS = {"2A": "EDF en Corse", "2B": "EDF en Corse", "976": "Électricité de Mayotte"}


def power_text(kilowatts: float | None) -> str:
    """Return ``4,9 MW``, ``532 kW``, ``1,2 GW``."""
    if kilowatts is None:
        return "puissance inconnue"
    for size, unit in ((1e6, "GW"), (1e3, "MW")):
        if kilowatts >= size:
            return format_value(kilowatts / size, unit, 1)
    return format_value(kilowatts, "kW", 1 if 0 < kilowatts < 10 else 0)


def energy_text(megawatt_hours: float | None) -> str:
    """Return ``5 614 MWh``, ``90,6 GWh``, ``1,2 TWh``."""
    if megawatt_hours is None:
        return "énergie inconnue"
    for least, size, unit in ((_TERA, 1e6, "TWh"), (_GIGA, 1e3, "GWh")):
        if megawatt_hours >= least:
            return format_value(megawatt_hours / size, unit, 1)
    return format_value(megawatt_hours, "MWh", 1 if 0 < megawatt_hours < 10 else 0)


def percent_text(value: float) -> str:
    """Return a percentage; what is not all nor nothing is never written 100 % nor 0 %."""
    if 0 < value < 0.1:
        return f"moins de 0,1{NBSP}%"
    if 99.95 <= value < 100:
        return f"plus de 99,9{NBSP}%"
    return format_value(value, "%", 1 if value < 100 and value != round(value) else 0)


def headline(
    place: Place, state: State, sheets: Mapping[str, ValueSheet], sectors: Sequence[SectorLine], register: Register
) -> tuple[str, ...]:
    """Return the first sentences of the page."""
    if state == "missing":
        unknown = "aucun fichier lu ne dit quelles installations y produisent de l'électricité. Ce n'est pas un zéro."
        return (f"{place.name} : {unknown}",)
    if state == "sites":
        return (_sites_sentence(place, register),)
    if state == "zero":
        known = "le registre national n'y rattache aucune installation. C'est un zéro connu, pas une donnée qui manque."
        return (f"{place.name} : {known}{_mark(sheets['energy.power_total'])}",)
    count, power = sheets["energy.installations"], sheets["energy.power_total"]
    mark = _mark(power)
    if state == "partial":
        many = count_of(round(count.value or 0), "installation")
        lost = "la puissance de plus de 5 % d'entre elles n'est pas publiée, le total n'est donc pas donné"
        return (f"{place.name} : {many} de production d'électricité{_mark(count)} ; {lost}. Ce n'est pas un zéro.",)
    many = count_of(round(count.value or 0), "installation")
    told = [
        f"{place.name} : {many} de production d'électricité, {power_text(power.value)} de puissance installée{mark}."
    ]
    largest = [line for line in sectors if line.share]
    if largest:
        first = max(largest, key=lambda line: line.share or 0.0)
        share = percent_text(100 * (first.share or 0.0))
        # A group of several sectors is named by the only one it holds here.
        label = first.details[0].partition(" : ")[0] if len(first.details) == 1 else first.label
        told.append(f"Première filière : {label.lower()}, {share} de la puissance.")
    told.append(_produced_sentence(sheets, state))
    return tuple(told)


def _mark(sheet: ValueSheet) -> str:
    return f"{NBSP}◆" if sheet.demo else ""


def _sites_sentence(place: Place, register: Register) -> str:
    known = register.sites
    if known.is_empty():
        return (
            f"{place.name} : l'extrait du registre n'y montre aucun site de 36 kW et plus. Les installations plus "
            "petites n'y sont pas décrites : aucun total n'est donné."
        )
    power = power_text(float(known["power_kw"].sum())) if known["power_kw"].null_count() == 0 else "puissance inconnue"
    return (
        f"{place.name} : {count_of(known.height, 'site')} de 36 kW et plus dans l'extrait du registre, {power} à eux "
        "seuls. Les installations plus petites n'y sont pas : aucun total n'est donné."
    )


def _produced_sentence(sheets: Mapping[str, ValueSheet], state: State) -> str:
    produced = sheets["energy.injected_total"]
    if state == "secret" or produced.status == "secret":
        return "L'énergie qu'elles ont injectée est secrète : elle n'est pas donnée, et ce n'est pas zéro."
    if not usable(produced):
        return (
            "L'énergie qu'elles ont injectée n'est pas donnée : elle n'est pas publiée pour plus de 5 % de la "
            "puissance. Ce n'est pas zéro."
        )
    least = ", au moins" if produced.status == "estimated" else ""
    return f"En douze mois, elles ont injecté {energy_text(produced.value)} sur le réseau{least}{_mark(produced)}."


def notes_of(place: Place, departement: str, register: Register, *, enedis: bool) -> tuple[str, ...]:
    """Return what must be known of the whole page: another operator, an extract, lines without a commune."""
    notes = []
    overseas = departement.startswith("97")
    if overseas or departement in _OPERATORS:
        operator = _OPERATORS.get(departement, "EDF en outre-mer")
        where = "outre-mer" if overseas else "en Corse"
        notes.append(
            f"Le réseau électrique est ici celui d'un autre gestionnaire qu'Enedis ({operator}), dans une zone dite "
            "« non interconnectée » au réseau continental : la production annuelle publiée par Enedis ne décrit aucune "
            f"commune {where}. Le registre national, lui, décrit les installations de tous les gestionnaires."
        )
    elif not enedis and register.kind == "register":
        notes.append(
            "Le fichier annuel d'Enedis ne décrit pas cette commune : un autre distributeur peut la servir. Ses "
            "installations du registre national sont là, quel que soit le gestionnaire."
        )
    if register.kind == "sites":
        notes.append(
            "Le fichier lu est un extrait du registre, limité aux sites de 36 kW et plus : il situe des sites et ne "
            "donne ni total, ni taux de couverture, ni spécialisation."
        )
    if register.near.height and place.level in {"commune", "epci"}:
        count, power = _weight(register.near["n"].to_list(), register.near["power_kw"].to_list())
        notes.append(
            f"Dans le département, {count_of(count, 'installation')} ({power}) "
            f"{'n’a' if count < 2 else 'n’ont'} pas de commune dans le registre : elles ne comptent qu'à partir du "
            "département, et les chiffres de la page sont des minimums."
        )
    return tuple(notes)


def _weight(counts: Sequence[int], powers: Sequence[float | None]) -> tuple[int, str]:
    known = [power for power in powers if power is not None]
    return sum(counts), power_text(sum(known)) if len(known) == len(powers) else "puissance inconnue"


def weight_text(counts: Sequence[int], powers: Sequence[float | None]) -> str:
    """Return « 272 installations, 1,2 MW »."""
    count, power = _weight(counts, powers)
    return f"{count_of(count, 'installation')}, {power}"


def balance_sentence(  # noqa: PLR0917 - one sentence, told whole
    name: str, produced: ValueSheet, used: ValueSheet, rate: ValueSheet, kind: str, energy: KnownEnergy | None,
    bounds: tuple[float, float | None] | None,
) -> str:  # fmt: skip
    """Return production against consumption in French, with what is not known."""
    tail = (
        " C'est un bilan d'une année : production et consommation n'ont pas lieu aux mêmes heures, et l'électricité "
        "consommée sur place n'y est pas."
    )
    if kind in {"exact", "least"} and rate.value is not None:
        least = "au moins " if kind == "least" else ""
        told = (
            f"{name} : l'électricité renouvelable injectée en douze mois ({least}{energy_text(produced.value)}) "
            f"équivaut à {least}{percent_text(rate.value)} de l'électricité livrée en {used.period} "
            f"({energy_text(used.value)}){_mark(rate)}."
        )
        if kind == "least" and energy is not None:
            told += f" {_unknown(energy)}"
        if rate.value > 100:
            told += " Au-dessus de 100 %, le territoire injecte plus qu'il ne prélève sur l'année."
        return told + tail
    if kind == "between" and bounds is not None and energy is not None:
        low, high = bounds
        top = f", au plus {percent_text(high)}" if high is not None else ", sans maximum connu"
        return (
            f"{name} : le taux de couverture n'est pas donné. {_unknown(energy)} Les seules énergies publiées "
            f"({energy_text(energy.known_mwh)}) font au moins {percent_text(low)}{top} de l'électricité livrée en "
            f"{used.period} ({energy_text(used.value)}){_mark(used)} ; le maximum suppose que les installations "
            f"muettes tournent toute l'année à pleine puissance, ce qu'aucune ne fait."
        )
    return f"{name} : {_withheld(produced, used, rate)}"


def _unknown(energy: KnownEnergy) -> str:
    power = power_text(energy.unknown_kw)
    secret = f", dont {format_number(energy.secret_n)} par secret" if energy.secret_n else ""
    one = energy.unknown_n < 2
    return (
        f"L'énergie de {count_of(energy.unknown_n, 'installation renouvelable', 'installations renouvelables')} "
        f"({power}) n'est pas publiée{secret} : {'elle n’est' if one else 'elles ne sont'} pas "
        f"{'comptée' if one else 'comptées'}."
    )


def _withheld(produced: ValueSheet, used: ValueSheet, rate: ValueSheet) -> str:
    reasons = []
    for sheet, words in ((produced, "la production renouvelable"), (used, "la consommation d'électricité")):
        if not usable(sheet):
            reasons.append(f"{words} est {sheet.status_label}")
    if rate.status == "not_applicable":
        return "le taux de couverture est sans objet : aucune électricité livrée n'est connue."
    why = join_words(reasons) or f"le calcul donne une valeur {rate.status_label}"
    return f"le taux de couverture n'est pas donné : {why}. Ce n'est pas un zéro."


def quotient_sentence(sheet: ValueSheet, sector: str) -> str:
    """Return what a location quotient means."""
    if sheet.status == "not_applicable":
        return f"{sector} : pas de quotient (moins de 30 installations ici, ou filière absente de la région)."
    if not usable(sheet) or sheet.value is None:
        return f"{sector} : {sheet.text}."
    number = format_number(sheet.value, 2)
    if round(sheet.value, 2) == 1:
        return f"{sector} : même poids que dans la région."
    side = "plus" if sheet.value > 1 else "moins"
    return f"{sector} : {side} de poids que dans la région (quotient {number})."
