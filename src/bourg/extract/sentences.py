"""What is said of an extraction, in French: what was found, from what, and what it leaves out."""

from __future__ import annotations

from bourg.extract.engine import ATTRIBUTION, LICENCE, Extraction, Source
from bourg.extract.files import WHOLE
from bourg.extract.territory import describe
from bourg.text import NBSP, count_of, format_date, format_number, plural


def share_text(share: float) -> str:
    """Return a share of surface as a percentage; what is not all is never written 100 %."""
    if share >= WHOLE:
        return f"100{NBSP}%"
    percent = 100 * share
    if percent < 0.1:
        return f"moins de 0,1{NBSP}%"
    return f"{format_number(min(percent, 99.9), 1 if percent < 10 or percent > 99 else 0)}{NBSP}%"


def date_text(source: Source) -> str:
    """Return ``données du 9 septembre 2019``, or that the date is unknown."""
    return f"données du {format_date(source.date[:10])}" if source.date else "données de date inconnue"


def summary(found: Extraction) -> str:
    """Return one sentence: how many objects, where, from what."""
    count = found.table.height
    objects = count_of(count, "objet") if count else "Aucun objet"
    return f"{objects} « {found.theme.label} » dans {describe(found.territory)}, {date_text(found.source)}."


def coverage_remark(source: Source) -> str:
    """Return what is missing because the source does not hold all of the territory, ``""`` when it says it does."""
    if source.share < WHOLE:
        return (
            f"L'extrait « {source.name} » couvre {share_text(source.share)} de la surface du territoire seulement : ce "
            "qui est au-delà manque, ce n'est pas zéro."
        )
    if not source.declared:
        return (
            f"L'extrait « {source.name} » ne dit pas son emprise : elle est déduite de ses points. Le territoire y "
            "tient, ses bords peuvent pourtant manquer."
        )
    return ""


def other_remarks(found: Extraction) -> list[str]:
    """Return what an extraction leaves out, and why nothing found is not a proof."""
    told = []
    if not found.table.height and found.source.share >= WHOLE:
        told.append(
            "OpenStreetMap ne connaît rien de tel ici, ou l'extrait s'arrête avant les coins de son emprise : ce n'est "
            "pas la preuve qu'il n'y a rien."
        )
    if found.unplaced:
        told.append(
            f"{count_of(found.unplaced, 'objet')} de l'extrait {plural(found.unplaced, 'a', 'ont')} une géométrie "
            "absente ou incomplète : nulle part sur la carte."
        )
    if found.withheld:
        told.append(
            f"Le nom de {count_of(found.withheld, 'objet')} n'est pas repris : il peut être celui d'une personne "
            "(cabinet, maison)."
        )
    return told


def remarks(found: Extraction) -> list[str]:
    """Return what a reader has to know: coverage, what is left out, licence."""
    coverage = coverage_remark(found.source)
    return [*([coverage] if coverage else []), *other_remarks(found), f"{ATTRIBUTION}. {LICENCE}."]
