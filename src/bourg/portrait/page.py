"""The portrait of a town as plain HTML: what stands between the header and the footer of its public page.

No script, no style attribute, no address of another host but the links to sources: the page passes under a content
security policy that allows nothing inline.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from bourg.compare.comparators import SIMILAR, SIZE, comparators
from bourg.indicators.engine import USABLE
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.values import SourceNote, ValueSheet
from bourg.portrait.charts import Evolution, breaks_text, drawable, summary
from bourg.portrait.document import Portrait
from bourg.portrait.drawings import chart, starts_above_zero
from bourg.portrait.markup import sentence, shown
from bourg.portrait.page_figures import DEMO, figure_item, figure_number, figure_place
from bourg.text import count_of, format_date, format_value

_SHOWN_NEIGHBOURS = 10


class Links(Protocol):
    """Addresses of the other pages, as seen from the page of the town; an empty text where there is no such page."""

    def home(self) -> str:
        """Return the address of the first page."""

    def town(self, code: str, name: str) -> str:
        """Return the address of the page of a town."""

    def departement(self, code: str) -> str:
        """Return the address of the page of a department."""

    def method(self, theme: str) -> str:
        """Return the address of the page that describes the indicators of a theme."""

    def compare(self, code: str, name: str) -> str:
        """Return the address of the page that puts a town beside the most similar ones."""

    def data(self, code: str, name: str) -> str:
        """Return the address of the portrait as JSON."""


@dataclass(frozen=True)
class TownPage:
    """What the page of a town is made from.

    Attributes
    ----------
    portrait
        The portrait document.
    series
        Every series of the town, drawable or not.
    map_svg
        The map that locates it, empty without outline.
    """

    portrait: Portrait
    series: Sequence[Evolution] = ()
    map_svg: str = ""


def town_main(page: TownPage, links: Links) -> str:
    """Return the content of the page of a town, from its title to its sources."""
    portrait = page.portrait
    themes = _themes(page, links)
    parts = [
        _path(portrait, links),
        _title(portrait),
        f'<p class="chapo">{shown(portrait.headline())}</p>',
        _demo_notice(portrait),
        _identity(page),
        _contents(list(themes)),
        key_figures_section(portrait),
        traits_section(portrait),
        _similar(portrait, links),
        *themes.values(),
        _sources(portrait, page.series, links),
    ]
    return "".join(parts)


def _title(portrait: Portrait) -> str:
    departement = portrait.identity.departement
    where = f"{shown(departement['nom'])} ({shown(departement['code'])})"
    return f"<h1>{shown(portrait.identity.name)} <small>{where}</small></h1>"


def _path(portrait: Portrait, links: Links) -> str:
    departement = portrait.identity.departement
    name, address = shown(departement["nom"]), links.departement(departement["code"])
    middle = f'<li><a href="{address}">{name}</a></li>' if address else f"<li>{name}</li>"
    return (
        f'<nav class="fil" aria-label="Fil d’Ariane"><ol><li><a href="{links.home()}">Accueil</a></li>{middle}'
        f'<li><span aria-current="page">{shown(portrait.identity.name)}</span></li></ol></nav>'
    )


def _demo_notice(portrait: Portrait) -> str:
    if not any(sheet.demo for sheet in portrait.sheets.values()):
        return ""
    return (
        '<p class="avis"><strong>Données de démonstration.</strong> Les valeurs marquées ◆ sont fabriquées dans les '
        "formats officiels&nbsp;: elles ne disent rien de la commune réelle.</p>"
    )


def _identity(page: TownPage) -> str:
    identity = page.portrait.identity
    hall, council = identity.town_hall, identity.council
    rows = [("Code Insee", identity.code), ("Codes postaux", ", ".join(identity.postal_codes))]
    rows += [("Intercommunalité", identity.epci["nom"])] if identity.epci else []
    rows += [("Région", identity.region["nom"])]
    rows += [("Superficie", format_value(identity.area_km2, "km²", 1))] if identity.area_km2 is not None else []
    rows += [("Type de petite ville", page.portrait.profile.title)] if page.portrait.profile else []
    rows += [("Mairie", hall["adresse"].replace("\n", ", "))] if hall.get("adresse") else []
    rows += [("Téléphone", hall["telephone"])] if hall.get("telephone") else []
    rows += [("Horaires", " · ".join(hall["horaires"]))] if hall.get("horaires") else []
    seats, women = council.get("sieges"), council.get("femmes")
    if seats:
        share = f", dont {count_of(women, 'femme')}" if women else ""
        rows += [("Conseil municipal", f"{count_of(seats, 'siège')}{share}")]
    entries = "".join(f"<dt>{name}</dt><dd>{shown(str(text))}</dd>" for name, text in rows if text)
    legend = (
        "<figcaption>La commune (aplat de couleur), son intercommunalité (aplat gris) et son département. "
        "Contours&nbsp;: IGN et Insee.</figcaption>"
    )
    drawing = f"<figure>{page.map_svg}{legend}</figure>" if page.map_svg else ""
    return (
        '<section class="carte-identite" aria-labelledby="identite"><h2 id="identite">Carte d’identité</h2>'
        f'<div class="duo"><dl>{entries}</dl>{drawing}</div></section>'
    )


def _contents(themes: Iterable[str]) -> str:
    items = [("chiffres-cles", "Chiffres clés"), ("distingue", "Ce qui la distingue"), ("semblables", "Semblables")]
    items += [(theme, THEMES[theme]) for theme in themes]
    items += [("sources", "Sources")]
    rows = "".join(f'<li><a href="#{anchor}">{shown(label)}</a></li>' for anchor, label in items)
    return f'<nav class="sommaire" aria-label="Sur cette page"><ul>{rows}</ul></nav>'


def key_figure(sheet: ValueSheet) -> str:
    """Return a key figure as an item of a list."""
    return (
        f"<li><h3>{_linked(shown(sheet.label), f'#{sheet.indicator}' if sheet.status in USABLE else '')}</h3>"
        f'<p class="valeur">{figure_number(sheet)} '
        f'<span class="periode">{shown(sheet.period)}</span></p><p class="place">{figure_place(sheet)}</p></li>'
    )


def key_figures_section(portrait: Portrait) -> str:
    """Return the section of the key figures."""
    cards = "".join(key_figure(sheet) for sheet in portrait.key_figures)
    legend = (
        '<p class="legende">Lire les bandes&nbsp;: <span class="cle cl">8 communes sur 10</span> '
        '<span class="cle cq">la moitié des communes</span> <span class="cle cm">médiane</span> '
        '<span class="cle cv">la ville</span>. Chaque bande est aussi écrite&nbsp;: la phrase qui la suit, et le '
        "tableau de la fiche du chiffre.</p>"
    )
    return (
        '<section aria-labelledby="chiffres-cles"><h2 id="chiffres-cles">Chiffres clés</h2>'
        f'<ul class="cartes">{cards}</ul>{legend}</section>'
    )


def chosen_set(portrait: Portrait) -> str:
    """Return the comparator of what sets the town apart: similar towns, else the communes of its size."""
    return SIMILAR if any(s.comparator.id == SIMILAR and s.status == "ok" for s in portrait.sets) else SIZE


def traits_section(portrait: Portrait) -> str:
    """Return the section of what sets the town apart."""
    found = portrait.specificities[chosen_set(portrait)]
    if found.traits:
        words = "".join(f"<li>{shown(trait.sentence)}</li>" for trait in found.traits)
        body = f'<ul class="traits">{words}</ul>'
    else:
        body = f"<p>{shown(found.message)}</p>"
    label = comparators()[found.comparator].label.lower()
    return (
        '<section aria-labelledby="distingue"><h2 id="distingue">Ce qui la distingue</h2>'
        f"<p>Comparée aux communes de l’ensemble «&nbsp;{shown(label)}&nbsp;». Ces phrases décrivent&nbsp;: elles ne "
        f"disent ni pourquoi, ni si c’est bien.</p>{body}</section>"
    )


def _similar(portrait: Portrait, links: Links) -> str:
    found = portrait.similar
    head = '<section aria-labelledby="semblables"><h2 id="semblables">Villes semblables</h2>'
    if found is None or not found.neighbours:
        why = found.message if found else "L’instantané n’a pas les données qui permettent de les trouver."
        return f"{head}<p>{shown(why)}</p></section>"
    rows = "".join(
        f'<tr><th scope="row">{_linked(shown(near.name), links.town(near.code, near.name))}'
        f"{DEMO if near.demo else ''}</th><td>{shown(near.sentence)}</td></tr>"
        for near in found.neighbours[:_SHOWN_NEIGHBOURS]
    )
    identity = portrait.identity
    address = links.compare(identity.code, identity.name)
    compare = f'<p><a href="{address}">Voir les chiffres côte à côte</a></p>' if address else ""
    note = f"<p>{shown(found.message)}</p>" if found.message else ""
    return (
        f"{head}<p>Semblables par ce dont une ville est faite, jamais par ses résultats.</p>{note}"
        '<div class="defile" role="region" aria-label="Tableau des villes semblables" tabindex="0"><table><thead><tr>'
        '<th scope="col">Ville</th><th scope="col">Pourquoi elle lui ressemble</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{compare}</section>"
    )


def _linked(text: str, address: str) -> str:
    return f'<a href="{address}">{text}</a>' if address else text


def _themes(page: TownPage, links: Links) -> dict[str, str]:
    """Return the sections of the themes that have something to say, by theme."""
    by_theme: dict[str, list[ValueSheet]] = {}
    for sheet in page.portrait.sheets.values():
        by_theme.setdefault(sheet.theme, []).append(sheet)
    series: dict[str, list[Evolution]] = {}
    for item in drawable(page.series):
        series.setdefault(item.theme, []).append(item)
    made = {}
    for theme, label in THEMES.items():
        sheets = by_theme.get(theme, [])
        if not sheets and theme not in series:
            continue
        given = [sheet for sheet in sheets if sheet.status in USABLE]
        absent = [sheet for sheet in sheets if sheet.status not in USABLE]
        method = links.method(theme)
        parts = [f'<section aria-labelledby="{theme}"><h2 id="{theme}">{shown(label)}</h2>']
        if given:
            figures = "".join(figure_item(sheet, method) for sheet in given)
            parts.append(f'<ul class="chiffres">{figures}</ul>')
        else:
            parts.append("<p>Aucun chiffre n’est disponible pour ce thème.</p>")
        if theme in series:
            charts = "".join(_evolution(item) for item in series[theme])
            parts.append(f'<h3>Évolutions</h3><div class="courbes">{charts}</div>')
        if absent:
            items = "".join(f"<li>{shown(f'{sheet.label} : {sheet.text}')}</li>" for sheet in absent)
            many = count_of(len(absent), "chiffre")
            parts.append(f"<details><summary>{many} sans valeur, et pourquoi</summary><ul>{items}</ul></details>")
        parts.append("</section>")
        made[theme] = "".join(parts)
    return made


def _evolution(item: Evolution) -> str:
    notes = [summary(item)]
    notes += ["L’axe ne part pas de zéro."] if starts_above_zero(item) else []
    notes += [sentence(text) for text in breaks_text([item])]
    rows = "".join(f'<tr><th scope="row">{point.year}<td>{shown(point.text)}</tr>' for point in item.points)
    unit = f" ({item.unit})" if item.unit else ""
    text = " ".join([*notes, item.note]).strip()
    return (
        f"<figure><figcaption><strong>{shown(item.label + unit)}</strong>{DEMO if item.demo else ''}</figcaption>"
        f"{chart(item)}<p>{shown(text)}</p>"
        f'<details><summary>Tableau<span class="lu">&nbsp;: {shown(item.label)}</span></summary><table><thead><tr>'
        f'<th scope="col">Année<th scope="col">Valeur</tr></thead><tbody>{rows}</tbody></table></details></figure>'
    )


def _sources(portrait: Portrait, series: Sequence[Evolution], links: Links) -> str:
    used: dict[SourceNote, int] = {}
    for sheet in portrait.sheets.values():
        for source in sheet.sources:
            used[source] = used.get(source, 0) + 1
    rows = "".join(_source_row(source, used[source]) for source in sorted(used, key=lambda note: (note.title, note.id)))
    listed = {source.title for source in used}
    others = sorted({title for item in drawable(series) for title in item.sources} - listed)
    drawn = f"<p>Évolutions, en plus de ces sources : {shown(', '.join(others))}.</p>" if others else ""
    made = portrait.snapshot
    when = f"Page faite avec l’instantané {made['id']} du {format_date(made['date'][:10])}, géographie au"
    identity = portrait.identity
    data = links.data(identity.code, identity.name)
    download = f'<p><a href="{data}">Les chiffres de cette page, en JSON</a></p>' if data else ""
    return (
        '<section aria-labelledby="sources"><h2 id="sources">Sources</h2>'
        '<div class="defile" role="region" aria-label="Tableau des sources" tabindex="0"><table><thead><tr>'
        '<th scope="col">Source</th><th scope="col">Producteur</th><th scope="col">Millésime</th>'
        '<th scope="col">Licence</th><th scope="col">Chiffres</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{drawn}{download}"
        f"<p>{shown(when)} "
        f"1<sup>er</sup> janvier {shown(str(made['cog']))}. Un chiffre manquant n’est pas un zéro&#8239;; un chiffre "
        "secret non plus.</p></section>"
    )


@lru_cache(maxsize=4096)
def _source_row(source: SourceNote, count: int) -> str:
    title = shown(source.title)
    # Only the web: an address of the catalogue never becomes a script.
    if source.landing_page.startswith(("https://", "http://")):
        title = f'<a href="{shown(source.landing_page)}" rel="noopener">{title}</a>'
    return (
        f'<tr id="s-{source.id}"><th scope="row">{title}</th><td>{shown(source.producer)}</td>'
        f"<td>{shown(source.vintage)}</td><td>{shown(source.licence)}</td><td>{count}</td></tr>"
    )
