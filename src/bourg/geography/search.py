"""Find a commune by name, postal code or INSEE code."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections import defaultdict
from dataclasses import asdict, dataclass

import polars as pl

from bourg.errors import MalformedCodeError, UnknownTerritoryError
from bourg.geography.codes import parse_commune_code
from bourg.geography.names import normalise_name

_MAX_QUERY = 100
_DEPARTEMENT_HINT = re.compile(r"^(.*?)[\s,(]+(\d{2,3}|2[ab])\)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Match:
    """A commune found, with what tells it from its homonyms.

    Attributes
    ----------
    code, name
        INSEE code and full name.
    departement, departement_name
        Code and name of the department.
    population
        Latest known population, ``None`` when it is not known.
    postal_codes
        Postal codes that serve the commune.
    matched
        What was recognised: ``nom``, ``code postal``, ``code Insee``, ``ancienne commune X`` or ``approchant``.
    """

    code: str
    name: str
    departement: str
    departement_name: str
    population: int | None
    postal_codes: tuple[str, ...]
    matched: str

    @property
    def label(self) -> str:
        """Return ``Saint-Denis (Seine-Saint-Denis, 93)``."""
        return f"{self.name} ({self.departement_name}, {self.departement})"

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types."""
        return {**asdict(self), "postal_codes": list(self.postal_codes), "label": self.label}


class CommuneIndex:
    """Search over the communes of the reference geography and the names of those they absorbed.

    Parameters
    ----------
    communes
        ``code, name, plain_name, departement, postal_codes`` and ``population`` (nullable).
    departements
        ``code, name``.
    former
        ``code, type, name, parent``: delegated and associated communes, municipal districts.
    """

    def __init__(self, communes: pl.DataFrame, departements: pl.DataFrame, former: pl.DataFrame) -> None:
        names = dict(departements.select("code", "name").iter_rows())
        self._departement_keys = {normalise_name(name): code for code, name in names.items()}
        self._communes: dict[str, Match] = {}
        self._keys: list[tuple[str, str, str]] = []
        self._postal: dict[str, list[str]] = defaultdict(list)
        columns = ("code", "name", "plain_name", "departement", "population", "postal_codes")
        for code, name, plain_name, departement, population, postal in communes.select(columns).iter_rows():
            self._communes[code] = Match(
                code, name, departement, names.get(departement, departement), population, tuple(postal), "nom"
            )
            self._keys.append((normalise_name(plain_name), code, "nom"))
            if name != plain_name:
                self._keys.append((normalise_name(name), code, "nom"))
            for value in postal:
                self._postal[value].append(code)
        seen = {(key, code) for key, code, _ in self._keys}
        self._former: dict[str, str] = {}
        for code, _, name, parent in former.select("code", "type", "name", "parent").iter_rows():
            if parent not in self._communes:
                continue
            if code not in self._communes:
                self._former.setdefault(code, parent)
            if (key := normalise_name(name)) and (key, parent) not in seen:
                seen.add((key, parent))
                self._keys.append((key, parent, f"ancienne commune ou arrondissement : {name}"))

    def __len__(self) -> int:
        return len(self._communes)

    def __contains__(self, code: object) -> bool:
        return code in self._communes

    def get(self, code: object) -> Match:
        """Return the commune of an INSEE code; the code of a merged commune leads to the one it joined.

        Raises
        ------
        MalformedCodeError
            When ``code`` cannot be a commune code.
        UnknownTerritoryError
            When no commune has this code, with near codes.
        """
        parsed = parse_commune_code(code)
        if parsed in self._former:
            return self._communes[self._former[parsed]]
        if parsed not in self._communes:
            near = difflib.get_close_matches(parsed, self._communes, n=3, cutoff=0.75)
            hint = ", ".join(f"{item} {self._communes[item].name}" for item in near)
            raise UnknownTerritoryError(
                f"Aucune commune n'a le code « {parsed} » dans la géographie de référence.",
                why="le code a peut-être disparu par fusion, ou comporte une faute de frappe.",
                next_step=f"codes voisins : {hint}." if hint else "cherchez la commune par son nom.",
            )
        return self._communes[parsed]

    def resolve(self, text: str) -> Match:
        """Return the one commune meant by a code or a name.

        Raises
        ------
        UnknownTerritoryError
            When nothing fits, or when several communes share the name: they are then listed with their code.
        """
        try:
            return self.get(text)
        except MalformedCodeError:
            found = self.search(text, limit=8)
        except UnknownTerritoryError:
            # Five digits may be a postal code.
            if not (found := self.search(text, limit=8)):
                raise
        name, departement = self._split_departement(text.strip())
        keys = {normalise_name(text), normalise_name(name)}
        exact = [
            match
            for match in found
            if keys & {normalise_name(match.name), normalise_name(match.label)}
            and departement in {None, match.departement}
        ]
        candidates = exact or found
        if len(candidates) == 1 and candidates[0].matched != "approchant":
            return candidates[0]
        listed = " ; ".join(f"{match.code} {match.label}" for match in candidates)
        raise UnknownTerritoryError(
            f"« {text[:60]} » désigne plusieurs communes."
            if exact or (candidates and candidates[0].matched == "code postal")
            else f"Aucune commune ne s'appelle « {text[:60]} ».",
            next_step=f"choisissez par le code : {listed}." if listed else "vérifiez l'orthographe.",
        )

    def search(self, query: str, *, limit: int = 10) -> list[Match]:
        """Return the communes that fit ``query``, the best first.

        A postal code gives every commune it serves; an INSEE code gives its commune; a name may lack its accents,
        hyphens or article, use ``St`` for ``Saint``, and be followed by a department (``saint-denis 93``,
        ``Valence (Drôme)``). An empty query gives nothing.
        """
        text = query.strip()[:_MAX_QUERY]
        if not text:
            return []
        found: dict[str, Match] = {}
        compact = text.replace(" ", "")
        for code in sorted(self._postal.get(compact, ()), key=lambda item: -(self._communes[item].population or 0)):
            found[code] = self._as(code, "code postal")
        with contextlib.suppress(MalformedCodeError, UnknownTerritoryError):
            found.setdefault((match := self.get(compact)).code, self._as(match.code, "code Insee"))
        if not found:
            name, departement = self._split_departement(text)
            found = self._by_name(normalise_name(name), departement)
            if not found and departement:
                found = self._by_name(normalise_name(text), None)
        return list(found.values())[:limit]

    def _as(self, code: str, matched: str) -> Match:
        match = self._communes[code]
        return match if matched == "nom" else Match(**{**asdict(match), "matched": matched})

    def _split_departement(self, text: str) -> tuple[str, str | None]:
        if hint := _DEPARTEMENT_HINT.match(text):
            return hint.group(1), hint.group(2).upper()
        key = normalise_name(text)
        for name, code in sorted(self._departement_keys.items(), key=lambda item: -len(item[0])):
            if key.endswith(" " + name):
                return key.removesuffix(" " + name), code
        return text, None

    def _by_name(self, key: str, departement: str | None) -> dict[str, Match]:
        ranked: list[tuple[int, int, str, str]] = []
        if not key:
            return {}
        for candidate, code, matched in self._keys:
            if departement and self._communes[code].departement != departement:
                continue
            if candidate == key:
                quality = 0
            elif candidate.startswith(key):
                quality = 1
            elif " " + key in candidate:
                quality = 2
            else:
                continue
            # The name in use comes before the name of a merged commune.
            ranked.append((2 * quality + (matched != "nom"), -(self._communes[code].population or 0), code, matched))
        if not ranked and len(key) >= 4:
            pool = {candidate for candidate, code, _ in self._keys if candidate[0] == key[0]}
            near = difflib.get_close_matches(key, pool, n=5, cutoff=0.8)
            order = {name: rank for rank, name in enumerate(near)}
            ranked = [
                (10 + order[candidate], -(self._communes[code].population or 0), code, "approchant")
                for candidate, code, _ in self._keys
                if candidate in order and (not departement or self._communes[code].departement == departement)
            ]
        found: dict[str, Match] = {}
        for _, _, code, matched in sorted(ranked):
            found.setdefault(code, self._as(code, matched))
        return found
