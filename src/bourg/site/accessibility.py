"""The statement of accessibility, made from the assessment: the same page for the static site and the server."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from bourg.accessibility import Assessment, Side, load_assessment, rates, state
from bourg.accessibility.assessment import SIDES
from bourg.accessibility.sheet import rate_line
from bourg.errors import ParameterError
from bourg.site.layout import fragment
from bourg.text import count_of, format_date, format_value, join_words

CONTACT_VARIABLE = "BOURG_CONTACT"
TITLE = "Déclaration d’accessibilité"
DESCRIPTION = "Ce qui est accessible, ce qui ne l’est pas et pourquoi, où le lire autrement, et à qui le dire."
_MAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_MOST_CONTACT = 200


def statement_main(home: str, *, town: str = "", contact: str | None = None) -> str:
    """Return the statement, as the HTML of the main part of a page.

    Parameters
    ----------
    home
        Address of the first page, from this one.
    town
        What the address of the page of a town looks like, shown as an example; empty to leave it out.
    contact
        Where obstacles are told: a mail address, a web address or a plain text; ``BOURG_CONTACT`` by default.

    Raises
    ------
    ParameterError
        When the contact is too long or holds control characters.
    """
    assessment = load_assessment()
    text = load_contact() if contact is None else checked_contact(contact)
    return fragment(
        "accessibilite.html.j2", home=Markup.escape(home), state=state(rates(assessment)),
        standard=assessment.standard, date=format_date(assessment.date), total=sum(1 for _ in assessment.criteria()),
        summary=_summary(assessment), lines=[rate_line(assessment, side) for side in (*SIDES, None)],
        parts=[_part(assessment, side) for side in SIDES], town=Markup.escape(town), means=assessment.means,
        contact=Markup.escape(text), contact_address=Markup.escape(_link(text)),
    )  # fmt: skip


def load_contact(environment: Mapping[str, str] | None = None) -> str:
    """Return the contact of the installation; empty when none was given.

    Raises
    ------
    ParameterError
        When it is too long or holds control characters.
    """
    return checked_contact((os.environ if environment is None else environment).get(CONTACT_VARIABLE, ""))


def checked_contact(text: str) -> str:
    """Return a contact without spaces around it.

    Raises
    ------
    ParameterError
        When it is too long or holds characters that are not printed, right-to-left marks included.
    """
    given = text.strip()
    if len(given) > _MOST_CONTACT or not given.isprintable():
        raise ParameterError(
            "Le contact donné pour l’accessibilité ne se lit pas.", where=CONTACT_VARIABLE,
            next_step=f"donnez une adresse de courriel, une adresse web ou un texte de {_MOST_CONTACT} caractères.",
        )  # fmt: skip
    return given


def _link(text: str) -> str:
    if _MAIL.fullmatch(text):
        return f"mailto:{text}"
    parts = urlsplit(text) if " " not in text and text.startswith(("https://", "http://")) else None
    return text if parts is not None and parts.hostname else ""


def _summary(assessment: Assessment) -> str:
    names: dict[Side, str] = {"public": "les pages publiques", "dashboard": "le tableau de bord"}
    told = [
        f"{format_value(rate, '%', 0)} pour {name}"
        for side, name in names.items()
        if (rate := rates(assessment, side).rate) is not None
    ]
    whole = rates(assessment)
    words = f"Parmi les critères jugés et applicables, part de ceux qui sont respectés : {join_words(told)}"
    untested = f" {count_of(whole.non_teste, 'critère reste', 'critères restent')} à juger." if whole.non_teste else ""
    return f"{words}.{untested}"


def _part(assessment: Assessment, side: Side) -> dict[str, Any]:
    failures, untested = [], []
    for item in assessment.criteria():
        verdict = item.verdict(side)
        if verdict.result == "non_conforme":
            failures.append({
                "id": item.id, "title": item.title, "fails": _sentence(verdict.fails), "fix": _sentence(verdict.fix),
                "streamlit": verdict.cause == "streamlit", "elsewhere": _sentence(verdict.elsewhere),
            })  # fmt: skip
        elif verdict.result == "non_teste":
            untested.append(item.id)
    return {
        "id": "cote-" + side, "label": SIDES[side], "failures": failures, "untested": join_words(untested),
        "pages": assessment.pages[side],
    }  # fmt: skip


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
