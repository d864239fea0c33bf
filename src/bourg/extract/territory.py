"""The territory of an extraction: a commune, an intercommunality, a department, or a box."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import polars as pl
import shapely

from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.geography.codes import COMMUNE_PATTERN
from bourg.geography.names import normalise_name
from bourg.geography.search import CommuneIndex
from bourg.store.locating import Locator
from bourg.store.snapshot import Snapshot
from bourg.text import count_of

Level = Literal["commune", "epci", "departement", "boite"]
Box = tuple[float, float, float, float]
LEVELS: dict[str, str] = {"commune": "commune", "epci": "intercommunalité", "departement": "département"}
_KM_PER_DEGREE = 111.195
_EPCI = re.compile(r"\d{9}")
_DEPARTEMENT = re.compile(r"\d{1,3}|2[AB]", re.IGNORECASE)
_PREFIX = re.compile(r"(commune|epci|departement|département)\s*:\s*(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Territory:
    """Where objects are wanted.

    Attributes
    ----------
    level, code, name
        ``commune``, ``epci``, ``departement`` or ``boite``; its code (four numbers for a box) and French name.
    bounds
        West, south, east, north, in degrees.
    outline
        Its shape (EPSG:4326); ``None`` when the reference geography has none.
    communes
        Codes of its communes; empty for a box, which takes the objects of every commune.
    """

    level: Level
    code: str
    name: str
    bounds: Box
    outline: shapely.Geometry | None
    communes: frozenset[str]

    @cached_property
    def area_km2(self) -> float:
        """Area of the box around the territory, square kilometres."""
        return box_area_km2(self.bounds)

    def covered_by(self, box: Box) -> float:
        """Return the share of the surface of the territory that a box holds, 0 to 1."""
        shape = shapely.box(*self.bounds) if self.outline is None else self.outline
        return float(shapely.area(shapely.intersection(shape, shapely.box(*box))) / shapely.area(shape))


def box_area_km2(box: Box) -> float:
    """Return the area of a box of degrees, square kilometres, on a sphere whose degree is 111.195 km."""
    west, south, east, north = box
    middle = math.cos(math.radians((south + north) / 2))
    return (east - west) * middle * (north - south) * _KM_PER_DEGREE**2


class Territories:
    """The territories of a snapshot, found by code or by name.

    Parameters
    ----------
    snapshot
        Where outlines, intercommunalities and departments are.
    index
        Search index of its communes.
    """

    def __init__(self, snapshot: Snapshot, index: CommuneIndex) -> None:
        self._index = index
        self.snapshot_id = snapshot.id
        columns = ("code", "name", "departement", "epci", "xmin", "ymin", "xmax", "ymax")
        self._communes = snapshot.table("communes").select(columns).collect()
        self._names = {
            "commune": dict(self._communes.select("code", "name").iter_rows()),
            "epci": dict(snapshot.table("epci").select("code", "name").collect().iter_rows()),
            "departement": dict(snapshot.table("departements").select("code", "name").collect().iter_rows()),
        }
        self._outlines = snapshot.table("outlines")

    def name_of(self, code: str) -> str | None:
        """Return the name of a commune."""
        return self._names["commune"].get(code)

    def containing(self, commune: str, level: str) -> str | None:
        """Return the code of what a commune belongs to at a level; ``None`` without intercommunality."""
        if level == "commune":
            return commune
        row = self._communes.filter(pl.col("code") == commune)
        return None if row.is_empty() else row.row(0, named=True)[level]

    def find(self, text: str) -> Territory:
        """Return the territory of a code or of a name.

        Five characters are a commune, nine figures an intercommunality (SIREN), two or three a department. A name is
        looked for among communes, then departments, then intercommunalities; ``epci:…`` or ``departement:…`` before it
        chooses.

        Raises
        ------
        UnknownTerritoryError
            When nothing has this code or name, or when several communes share it.
        """
        text = text.strip()
        if match := _PREFIX.fullmatch(text):
            level = match[1].lower().replace("é", "e")
            return self._at(level, match[2].strip())
        if _EPCI.fullmatch(text):
            return self._at("epci", text)
        if _DEPARTEMENT.fullmatch(text):
            return self._at("departement", text)
        if re.fullmatch(COMMUNE_PATTERN, text.upper()):
            return self.at("commune", self._index.get(text).code)
        wanted = normalise_name(text)
        if not any(normalise_name(match.name) == wanted for match in self._index.search(text, limit=20)):
            for level in ("departement", "epci"):
                if codes := self._named(level, wanted):
                    return self._one(level, codes, text)
        return self.at("commune", self._index.resolve(text).code)

    def _at(self, level: str, text: str) -> Territory:
        if level == "commune":
            return self.at(level, self._index.resolve(text).code)
        code = text.upper().zfill(2) if level == "departement" else text
        if code in self._names[level]:
            return self.at(level, code)
        if codes := self._named(level, normalise_name(text)):
            return self._one(level, codes, text)
        raise UnknownTerritoryError(
            f"Aucun territoire de niveau « {LEVELS[level]} » n'est « {text[:60]} » dans la géographie de référence.",
            next_step="donnez son code (deux ou trois caractères pour un département, neuf chiffres pour une "
            "intercommunalité), ou le nom d'une de ses communes.",
        )

    def _named(self, level: str, wanted: str) -> list[str]:
        return [code for code, name in self._names[level].items() if normalise_name(name) == wanted]

    def _one(self, level: str, codes: Sequence[str], text: str) -> Territory:
        if len(codes) > 1:
            raise UnknownTerritoryError(
                f"« {text[:60]} » désigne plusieurs territoires.",
                next_step=f"choisissez par le code : {', '.join(codes)}.",
            )
        return self.at(level, codes[0])

    def at(self, level: str, code: str) -> Territory:
        """Return the territory of a level and a code.

        Raises
        ------
        UnknownTerritoryError
            When nothing has this code, or when none of its communes has an outline nor a place.
        """
        if level not in LEVELS or code not in self._names[level]:
            raise UnknownTerritoryError(
                f"Aucun territoire de niveau « {LEVELS.get(level, level[:20])} » n'a le code « {code[:20]} »."
            )
        column = "code" if level == "commune" else level
        codes = frozenset(self._communes.filter(pl.col(column) == code)["code"])
        shapes = self._outlines.filter(pl.col("code").is_in(list(codes)), pl.col("wkb").is_not_null()).sort("code")
        outline = shapely.union_all(shapely.from_wkb(shapes.collect()["wkb"].to_list()))
        if outline.is_empty:
            raise UnknownTerritoryError(
                f"Le contour de {self._names[level][code]} manque dans l'instantané.",
                where=code,
                next_step="donnez une boîte de coordonnées : --bbox ouest,sud,est,nord.",
            )
        west, south, east, north = shapely.bounds(outline).tolist()
        name = self._names[level][code]
        return Territory(level, code, name, (west, south, east, north), outline, codes)  # type: ignore[arg-type]

    def locator(self, bounds: Box) -> Locator:
        """Return what tells the commune of a point, among the communes that touch a box."""
        west, south, east, north = bounds
        near = self._communes.filter(
            pl.col("xmax") >= west, pl.col("xmin") <= east, pl.col("ymax") >= south, pl.col("ymin") <= north
        )["code"]
        wanted = pl.col("code").is_in(near.to_list())
        return Locator(self._outlines.filter(wanted, pl.col("wkb").is_not_null()).sort("code").collect())


def box_territory(text: str) -> Territory:
    """Return the territory of a box written ``west,south,east,north``, in degrees.

    Raises
    ------
    ParameterError
        When it is not four coordinates in order.
    """
    try:
        sides = [float(part) for part in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) == 4 and all(math.isfinite(side) for side in sides):
        west, south, east, north = sides
        if -180 <= west < east <= 180 and -90 <= south < north <= 90:
            code = ",".join(f"{side:g}" for side in sides)
            box = (west, south, east, north)
            return Territory("boite", code, f"Boîte {code}", box, None, frozenset())
    raise ParameterError(
        f"La boîte « {text[:60]} » ne se lit pas.",
        where="--bbox",
        next_step="écrivez ouest,sud,est,nord en degrés : -2.10,47.64,-2.07,47.66.",
    )


def describe(territory: Territory) -> str:
    """Return ``Redon (commune 35236)``, ``Morbihan (département 56, 249 communes)``."""
    if territory.level == "boite":
        return territory.name
    many = "" if territory.level == "commune" else f", {count_of(len(territory.communes), 'commune')}"
    return f"{territory.name} ({LEVELS[territory.level]} {territory.code}{many})"


__all__ = ["LEVELS", "Box", "Level", "Territories", "Territory", "box_territory", "describe"]
