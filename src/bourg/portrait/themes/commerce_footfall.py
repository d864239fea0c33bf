"""What footfall series show: heat table of the week, comparison of two periods, counters, and what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bourg.commerce.footfall import WEEKDAYS, Comparison, CounterSummary, ImportAnswer, Profile
from bourg.portrait.strips import unbroken
from bourg.portrait.themes.commerce_html import folded, table
from bourg.text import NBSP, count_of, format_date, format_number, format_value

# Shades of the heat table: the darkest cell is the busiest hour, and every cell bears its number.
_SHADES = 5


def heat_table(profile: Profile) -> str:
    """Return the mean passages of each hour of the week; hours never measured have a dash, and are not zero."""
    means = {(weekday, hour): mean for weekday, hour, mean, _ in profile.table.iter_rows()}
    hours = [hour for hour in range(24) if any(means[day, hour] is not None for day in range(1, 8))]
    top = max((mean for mean in means.values() if mean is not None), default=0.0)

    def cell(day: int, hour: int) -> str:
        mean = means[day, hour]
        if mean is None:
            return '<td title="non mesuré">–</td>'
        shade = round(_SHADES * mean / top) if top else 0
        strong = 12 * shade
        style = f"background:color-mix(in srgb, var(--centre) {strong}%, transparent)"
        bold = ";font-weight:700" if mean == top else ""
        return f'<td style="{style}{bold}">{format_number(mean)}</td>'

    head = "".join(f'<th scope="col">{WEEKDAYS[day][:3]}.</th>' for day in range(7))
    rows = "".join(
        f'<tr><th scope="row">{hour}{NBSP}h</th>{"".join(cell(day, hour) for day in range(1, 8))}</tr>'
        for hour in hours
    )
    caption = "Passages moyens par heure et par jour (– : jamais mesuré)"
    return (
        f'<table class="chaleur"><caption>{caption}</caption><thead><tr><th scope="col">Heure</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def profile_sentences(profile: Profile) -> tuple[str, ...]:
    """Return the profile in words: busiest hour, mean of each weekday when all its hours are known, hours set aside."""
    made = [profile.sentence]
    days: dict[int, float] = {}
    for weekday in range(1, 8):
        of_day = profile.table.filter(profile.table["weekday"] == weekday)
        known = of_day["mean"].drop_nulls()
        if len(known) == of_day.height:
            days[weekday] = float(known.sum())
    if days:
        best, least = max(days, key=lambda day: (days[day], -day)), min(days, key=lambda day: (days[day], day))
        made.append(
            f"Le jour le plus fréquenté est le {WEEKDAYS[best - 1]} ({count_of(round(days[best]), 'passage')} en "
            f"moyenne), le moins fréquenté le {WEEKDAYS[least - 1]} ({format_number(round(days[least]))})."
        )
    if profile.hours_incomplete:
        made.append(
            f"{count_of(profile.hours_incomplete, 'heure mesurée en partie', 'heures mesurées en partie')} : "
            "hors des moyennes."
        )
    return tuple(made)


def comparison_table(found: Comparison, first: str, second: str) -> str:
    """Return two periods weekday by weekday."""

    def mean(value: float | None, days: int) -> str:
        return "non mesuré" if value is None else f"{format_number(value)} ({count_of(days, 'jour')})"

    def change(value: float | None) -> str:
        return "–" if value is None else f"{'+' if round(value, 1) > 0 else ''}{format_value(value, '%', 1)}"

    rows = [
        (f"{label[0].upper()}{label[1:]}", mean(one, one_days), mean(two, two_days), change(moved))
        for _, label, one_days, one, two_days, two, moved in found.table.iter_rows()
    ]
    rows.append((
        "Jour moyen",
        "–" if found.first_mean is None else format_number(found.first_mean),
        "–" if found.second_mean is None else format_number(found.second_mean),
        change(found.change),
    ))  # fmt: skip
    return table("Passages par jour, sur les mêmes jours de la semaine", ("Jour", first, second, "Écart"), rows)


def counters_table(items: Sequence[CounterSummary]) -> str:
    """Return the counters of a series: place, dates, passages counted, share of the time measured."""
    rows = [
        (item.place or item.counter, f"{format_date(item.first)} – {format_date(item.last)}",
         format_number(item.total), format_value(item.coverage, "%", 1), count_of(item.gaps, "trou"))
        for item in items
    ]  # fmt: skip
    return table("Compteurs du fichier", ("Compteur", "Dates", "Passages comptés", "Temps mesuré", "Trous"), rows)


def answer_list(answer: ImportAnswer) -> str:
    """Return what the import kept, refused and repaired: the first sentence shown, the rest folded."""
    first, *rest = answer.sentences()
    items = "".join(f"<li>{escape(unbroken(text))}</li>" for text in rest)
    more = folded("Ce qui a été refusé ou réparé", f"<ul>{items}</ul>") if rest else ""
    return f"<p><b>{escape(answer.file)}</b> : {escape(unbroken(first))}</p>{more}"
