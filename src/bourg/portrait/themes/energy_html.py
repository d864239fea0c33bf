"""The page of energy as plain HTML fragments: no script, no style attribute, no request, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bourg.energy.sectors import GROUPS
from bourg.indicators.engine import USABLE
from bourg.indicators.values import Elsewhere, ValueSheet, declaration_of
from bourg.portrait.html import sheet_details
from bourg.portrait.side_by_side import scrolling
from bourg.portrait.themes.energy_markup import cell, demo_mark, shown, step, table, value_words, words_of
from bourg.portrait.themes.energy_model import GROUP_LABELS, Balance, EnergyPage, Mix, SectorLine, UseLine, usable
from bourg.portrait.themes.energy_words import percent_text, power_text, quotient_sentence
from bourg.text import count_of, format_number


def _sheets(named: Iterable[tuple[str, ValueSheet | None]], columns: int) -> str:
    """Return the folded sheets of some figures side by side, as the row under them."""
    folded = "".join(
        sheet_details(sheet).replace("Fiche du chiffre", f"Fiche : {shown(name)}", 1)
        for name, sheet in named
        if sheet is not None
    )
    return f'<tr class="detail"><td colspan="{columns}">{folded}</td></tr>' if folded else ""


def legend(groups: Iterable[str], *, demo: bool = False) -> str:
    """Return the colours of the groups with their names."""
    items = "".join(f'<span class="cle"><i class="f-{group}"></i>{GROUP_LABELS[group]}</span>' for group in groups)
    return f'<p><span aria-hidden="true">{items}</span>{demo_mark(demo=demo)}</p>'


# ---- Sectors ---------------------------------------------------------------------------------------------------------


def figure_cards(page: EnergyPage) -> str:
    """Return the key figures of a territory that has no rank among communes."""
    cards = "".join(
        f'<div class="carte"><h3>{shown(sheet.label)}{demo_mark(demo=sheet.demo)}</h3><p class="chiffre">'
        f'<span class="grand{"" if usable(sheet) else " absent"}">{shown(value_words(sheet))}</span> '
        f'<span class="periode">{shown(sheet.period)}</span></p>{sheet_details(sheet)}</div>'
        for sheet in page.key_figures
        if usable(sheet)
    )
    return f'<div class="cartes">{cards}</div>'


def absent_figures(page: EnergyPage) -> str:
    """Return the key figures that have no value, with the reason; empty when all have one."""
    absent = [sheet for sheet in page.key_figures if not usable(sheet)]
    if not absent:
        return ""
    items = "".join(f"<li>{shown(f'{sheet.label} : {sheet.text}')}</li>" for sheet in absent)
    words = f"{count_of(len(absent), 'chiffre')} sans valeur, et pourquoi"
    return f"<details><summary>{words}</summary><ul>{items}</ul></details>"


def sectors_block(page: EnergyPage) -> str:
    """Return power, production and number of installations by sector: a stacked bar and its table."""
    if page.state in {"missing", "sites"}:
        return f'<p class="phrase">{shown(page.headline[0])}</p>'
    shares = {line.group: line.share for line in page.sectors if line.share}
    bar = _pile(shares, f"Puissance par filière, {page.place.name}") + legend(shares) if shares else ""
    here = [line for line in page.sectors if not (usable(line.power) and not line.power.n)]
    none = [line for line in page.sectors if line not in here]
    title = f"Par filière, {page.place.name}"
    listed = _sectors_table(title, here) if here else ""
    if none:
        words = f"{count_of(len(none), 'filière')} sans installation : {shown(_listed(none))} (zéro connu)"
        listed += f"<details><summary>{words}</summary>{_sectors_table(title, none)}</details>"
    return (
        bar
        + listed
        + _note(
            "Puissance : ce qui est en service au registre. Injecté : énergie mise sur le réseau en douze mois "
            "glissants, sans ce qui est consommé sur place."
        )
    )


def _listed(lines: Sequence[SectorLine]) -> str:
    return ", ".join(line.label.lower() for line in lines)


def _note(text: str) -> str:
    return f'<p class="note">{shown(text)}</p>'


def _sectors_table(title: str, lines: Sequence[SectorLine]) -> str:
    heads = ("Filière", "Installations", "Puissance installée", "Part de la puissance", "Injecté en douze mois")
    rows = "".join(
        f'<tr class="tete"><th scope="row">{shown(line.label)}'
        f"{''.join(f'<span class=periode>{shown(text)}</span>' for text in line.details)}</th>"
        f'<td class="valeur" data-t="{heads[1]}">'
        f"{format_number(line.power.n or 0) if usable(line.power) else '–'}</td>{cell(line.power, heads[2])}"
        f'<td class="valeur" data-t="{heads[3]}">'
        f"{percent_text(100 * line.share) if line.share is not None else '–'}</td>{cell(line.injected, heads[4])}</tr>"
        f"{_sheets((('puissance', line.power), ('énergie injectée', line.injected)), 5)}"
        for line in lines
    )
    return table(title, heads, rows)


def _pile(shares: dict[str, float] | dict[str, float | None], label: str) -> str:
    told = ", ".join(f"{GROUP_LABELS[group]} {percent_text(100 * (share or 0))}" for group, share in shares.items())
    bars = "".join(f'<i class="f-{group} l{step(share or 0)}"></i>' for group, share in shares.items())
    return f'<div class="pile" role="img" aria-label="{shown(f"{label} : {told}")}">{bars}</div>'


# ---- Balance ---------------------------------------------------------------------------------------------------------


def balance_block(balance: Balance) -> str:
    """Return production against consumption: two bars on one scale, the sentence, the sheet of the rate."""
    drawn = ""
    if balance.kind != "none" and balance.low is not None and usable(balance.used):
        top = max(100.0, balance.low, min(balance.high or balance.low, 2 * max(balance.low, 100.0)))
        low, high = balance.low / top, min(balance.high or balance.low, top) / top
        extra = f'<i class="peut l{step(high - low)}"></i>' if high > low else ""
        made = {"exact": "", "least": "au moins ", "between": "au moins "}[balance.kind] + percent_text(balance.low)
        drawn = (
            '<div class="face"><span>Électricité livrée</span>'
            f'<div class="pile" role="img" aria-label="100 %"><i class="f-other l{step(100 / top)}"></i></div>'
            f"<span>Renouvelable injecté, {shown(made)}</span>"
            f'<div class="pile" role="img" aria-label="{shown(made)} de l’électricité livrée">'
            f'<i class="f-bio l{step(low)}"></i>{extra}</div></div>'
        )
        if extra:
            drawn += (
                '<p class="note">Hachures : ce que les installations dont l’énergie est tue pourraient ajouter.</p>'
            )
    sheets = "".join(
        f'<tr class="tete"><th scope="row">{shown(sheet.label)}</th>{cell(sheet)}</tr>'
        f"{_sheets(((sheet.label, sheet),), 2)}"
        for sheet in (balance.produced, balance.used, balance.rate)
    )
    drawn_table = table("Les chiffres de ce bilan", ("Chiffre", "Valeur"), sheets)
    folded = f"<details><summary>Les trois chiffres et leurs fiches</summary>{drawn_table}</details>"
    return f'<p class="phrase">{shown(balance.sentence)}</p>{drawn}{folded}'


# ---- Comparison ------------------------------------------------------------------------------------------------------


def comparison_block(page: EnergyPage) -> str:
    """Return the commune beside the territories that hold it: mixes, then a table with a bar in each cell."""
    mixes = _without_twin(page.mixes)
    if not any(mix.shares for mix in mixes):
        none = _note(
            "La puissance installée n'est connue pour aucun de ces territoires : les filières ne s'y comparent pas."
        )
        return f"{none}{_compared_table(page)}"
    drawn = "".join(_mix_line(mix) for mix in mixes)
    groups = [group for group in GROUPS if any(mix.shares.get(group) for mix in mixes)]
    head = f'<h3>Filières dans la puissance installée</h3>{legend(groups)}<div class="mixes">{drawn}</div>'
    return f"{head}{_mixes_table(mixes, groups)}{_compared_table(page)}"


def _without_twin(mixes: Sequence[Mix]) -> list[Mix]:
    """Leave out a region of one department, which is told once."""
    names = [mix.name for mix in mixes if mix.level == "departement"]
    return [mix for mix in mixes if not (mix.level == "region" and mix.name in names)]


def _mix_line(mix: Mix) -> str:
    name = f"<span>{shown(mix.name)}{demo_mark(demo=mix.demo)}</span>"
    if not mix.shares:
        return f"{name}<span><em>{shown(mix.reason)}</em></span>"
    return name + _pile({group: share for group, share in mix.shares.items() if share > 0}, mix.name)


def _mixes_table(mixes: Sequence[Mix], groups: Sequence[str]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{shown(mix.name)}</th>'
        + (
            "".join(f'<td class="valeur">{percent_text(100 * mix.shares.get(group, 0.0))}</td>' for group in groups)
            if mix.shares
            else f'<td colspan="{max(len(groups), 1)}">{shown(mix.reason)}</td>'
        )
        + "</tr>"
        for mix in mixes
    )
    heads = ("Territoire", *(GROUP_LABELS[group] for group in groups))
    drawn_table = table("Part de chaque filière dans la puissance", heads, rows, kind="parts")
    return f"<details><summary>Les parts en chiffres</summary>{scrolling(drawn_table, 'Parts des filières')}</details>"


def _compared_table(page: EnergyPage) -> str:
    levels: dict[str, str] = {}
    for sheet in page.comparison:
        for item in sheet.elsewhere:
            levels.setdefault(item.level, item.name or item.level_label)
    if levels.get("region") == levels.get("departement"):
        levels.pop("region", None)
    known = [
        sheet for sheet in page.comparison if usable(sheet) or any(item.value is not None for item in sheet.elsewhere)
    ]
    lost = [sheet for sheet in page.comparison if sheet not in known]
    if not known:
        return _note("Aucun chiffre n'est connu pour ces territoires.")
    rows = "".join(_compared_row(sheet, list(levels)) for sheet in known)
    drawn_table = table(
        f"{page.name} et les territoires qui la contiennent", ("Chiffre", page.name, *levels.values()), rows,
        kind="cote", demo=any(sheet.demo for sheet in known),
    )  # fmt: skip
    told = ""
    if lost:
        words = f"{count_of(len(lost), 'chiffre')} sans valeur dans tous ces territoires"
        items = "".join(f"<li>{shown(sheet.label)} : {shown(sheet.text)}</li>" for sheet in lost)
        told = f"<details><summary>{words}</summary><ul>{items}</ul></details>"
    return scrolling(drawn_table, "Comparaison des territoires, tableau qui défile") + told


def _compared_row(sheet: ValueSheet, levels: Sequence[str]) -> str:
    given: dict[str, Elsewhere] = {item.level: item for item in sheet.elsewhere}
    amounts = declaration_of(sheet.indicator).kind in {"amount", "count"}
    values = [sheet.value, *(given[level].value for level in levels if level in given)]
    # The total of a region would flatten that of a town: amounts have no bar.
    largest = 0.0 if amounts else max((value for value in values if value is not None), default=0.0)
    cells = [_compared_cell(value_words(sheet), sheet.value, largest, own=True)]
    for level in levels:
        item = given.get(level)
        told = words_of(sheet.indicator, item.text, item.status) if item else ""
        cells.append(_compared_cell(told, item.value, largest) if item else "<td>–</td>")
    return f'<tr><th scope="row">{shown(sheet.label)}{sheet_details(sheet)}</th>{"".join(cells)}</tr>'


def _compared_cell(text: str, value: float | None, largest: float, *, own: bool = False) -> str:
    bar = ""
    if value is not None and largest > 0:
        kind = " moi" if own else ""
        bar = f'<span class="trait{kind}" aria-hidden="true"><i class="l{step(value / largest)}"></i></span>'
    return f'<td class="valeur">{shown(text)}{bar}</td>'


def quotients_block(page: EnergyPage) -> str:
    """Return the specialisation against the region: a dot on each side of 1, the sentence, the sheet."""
    if not page.quotients:
        return (
            '<p class="note">La spécialisation est donnée pour une commune ou un département : choisissez l’un ou '
            "l’autre.</p>"
        )
    if not any(sheet.status in {*USABLE, "not_applicable"} for sheet in page.quotients):
        told = page.quotients[0]
        return _note(
            f"La spécialisation n'est pas donnée ({told.text}) : elle demande le registre entier de la région."
        )
    rows = ""
    for sheet in page.quotients:
        name = GROUP_LABELS[sheet.indicator.rpartition("_")[2]]
        # From a quarter to four times the region, on a scale of ratios.
        place = ""
        if usable(sheet) and sheet.value is not None:
            side = min(max(sheet.value, 0.0), 4.0)
            spot = round(50 * side if side <= 1 else 50 + 50 * (side - 1) / 3)
            place = f'<span class="axe2" aria-hidden="true"><u class="x50"></u><b class="x{spot}"></b></span>'
        rows += (
            f'<tr class="tete"><th scope="row">{name}{demo_mark(demo=sheet.demo)}</th>'
            f"<td>{place}{shown(quotient_sentence(sheet, name))}</td></tr>"
            f"{_sheets(((name.lower(), sheet),), 2)}"
        )
    note = (
        '<p class="note">Trait au milieu : même poids que dans la région ; au bout à droite : quatre fois ce poids, ou '
        "plus. Le quotient est rapproché de 1 quand les installations sont peu nombreuses.</p>"
    )
    return table("Filières comparées à la région", ("Filière", "Place"), rows) + note


# ---- Years and consumption -------------------------------------------------------------------------------------------


def years_block(page: EnergyPage) -> str:
    """Return the power in service over the years: stacked columns, their table, what they leave out."""
    found = page.power_years
    if page.register.kind == "sites":
        return _note("L'extrait lu n'a pas toutes les installations : l'évolution de la puissance n'est pas donnée.")
    if found is None:
        return '<p class="note">Aucune date de mise en service n’est connue : il n’y a pas d’évolution à montrer.</p>'
    totals = found.totals()
    tallest = max((sum(value or 0.0 for value in column) for column in zip(*found.cumulated.values(), strict=True)),
                  default=0.0)  # fmt: skip
    columns = "".join(
        "<span>"
        + "".join(
            f'<i class="f-{group} h{step((values[rank] or 0.0) / tallest)}"></i>'
            for group, values in found.cumulated.items()
            if tallest and values[rank]
        )
        + "</span>"
        for rank in range(len(found.years))
    )
    first = f"jusqu’en {found.years[0]}" if found.before else str(found.years[0])
    rows = "".join(
        f'<tr><th scope="row">{year if rank or not found.before else first}</th>'
        f"<td>{power_text(found.added[rank])}</td>"
        + "".join(f"<td>{power_text(values[rank])}</td>" for values in found.cumulated.values())
        + f"<td>{power_text(totals[rank])}</td></tr>"
        for rank, year in enumerate(found.years)
    )
    heads = ("Année", "Mise en service", *(GROUP_LABELS[group] for group in found.cumulated), "En service")
    title = "Puissance en service à la fin de chaque année"
    told = scrolling(table(title, heads, rows, kind="parts", demo=page.register.demo), title)
    undated = (
        f" {count_of(found.undated_n, 'installation')} sans date ({power_text(found.undated_kw)}) n’y sont pas : ce "
        "sont surtout les plus petites, publiées par sommes."
        if found.undated_n
        else ""
    )
    label = f"Puissance en service de {found.years[0]} à {found.years[-1]}, de {power_text(totals[0])} à "
    return (
        f"{legend(found.cumulated, demo=page.register.demo)}"
        f'<div class="annees" role="img" aria-label="{shown(label + power_text(totals[-1]))}">{columns}</div>'
        f'<div class="axe" aria-hidden="true"><span>{shown(first)}</span><span>{found.years[-1]} : '
        f"{power_text(totals[-1])}</span></div>"
        '<p class="note">D’après les dates de mise en service de ce qui fonctionne aujourd’hui : une installation '
        f"arrêtée depuis a quitté le registre, le passé est donc un minimum.{undated}</p>"
        f"<details><summary>Les chiffres de ce graphique</summary>{told}</details>"
    )


def use_block(page: EnergyPage) -> str:
    """Return the consumption by network and sector, each with its share of the network."""
    use = page.use
    if not use.lines:
        return '<p class="note">Aucun fichier lu ne donne la consommation de ce territoire : ce n’est pas un zéro.</p>'
    rows = ""
    for network in dict.fromkeys(line.network for line in use.lines):
        lines = [line for line in use.lines if line.network == network]
        rows += "".join(_use_row(line) for line in lines)
        rows += _sheets(((line.label.lower(), line.sheet) for line in lines), 3)
    heads = ("Énergie et secteur", "Consommation", "Part de l’énergie")
    year = f" en {use.year}" if use.year else ""
    notes = [use.note] if use.note else []
    if any(line.status == "secret" for line in use.lines):
        notes.append(
            "Secret : un secteur d'une poignée de clients est caché, et avec lui ce qui le donnerait par différence ; "
            "un seul secret suffit à cacher le total d'un territoire plus large. Ce n'est pas un zéro."
        )
    told = "".join(f'<p class="note">{shown(note)}</p>' for note in notes)
    return table(f"Électricité et gaz livrés{year}, {page.place.name}", heads, rows) + told


def _use_row(line: UseLine) -> str:
    bar = ""
    if line.share is not None:
        bar = f'{percent_text(100 * line.share)}<span class="trait" aria-hidden="true"><i class="l{step(line.share)}">'
        bar += "</i></span>"
    kind = "sous" if line.sector else "reseau"
    return (
        f'<tr class="{kind}"><th scope="row">{shown(line.label)}</th>'
        f'<td class="valeur">{shown(line.text)}{demo_mark(demo=line.demo)}</td><td class="place">{bar}</td></tr>'
    )
