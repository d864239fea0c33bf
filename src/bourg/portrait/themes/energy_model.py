"""What the page of energy is made of: one frozen document, shown by the dashboard, the static pages, paper and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import polars as pl

from bourg.energy.sectors import LABELS
from bourg.energy.years import PowerYears
from bourg.indicators.engine import USABLE
from bourg.indicators.values import ValueSheet
from bourg.portrait.charts import Evolution

TERRITORIES = ("commune", "epci", "departement", "region")
TERRITORY_LABELS = {
    "commune": "Commune", "epci": "Intercommunalité", "departement": "Département", "region": "Région",
    "france": "France",
}  # fmt: skip
GROUP_LABELS = {
    "solar": "Solaire", "wind": "Éolien", "hydro": "Hydraulique", "bio": "Bioénergies",
    "other": "Autres filières", "storage": "Stockage",
}  # fmt: skip
State = Literal["ok", "zero", "secret", "partial", "sites", "missing"]


@dataclass(frozen=True)
class Place:
    """The territory of the page.

    Attributes
    ----------
    level, code, name
        One of :data:`TERRITORIES`, its code and its name.
    communes
        Codes of its communes, sorted.
    bounds
        West, south, east, north in degrees; ``None`` without any outline.
    """

    level: str
    code: str
    name: str
    communes: tuple[str, ...]
    bounds: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class SectorLine:
    """One group of sectors: power, production, number of installations.

    Attributes
    ----------
    share
        Share of the power of production, 0 to 1; ``None`` for storage, or when a power is not known.
    details
        French sentences on the sectors inside the group.
    """

    group: str
    label: str
    power: ValueSheet
    injected: ValueSheet | None
    share: float | None
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Balance:
    """Renewable production against consumption.

    Attributes
    ----------
    rate
        Value sheet of the coverage rate.
    kind
        ``exact``; ``least``: the rate is a minimum; ``between``: only bounds are known; ``none``: withheld.
    low, high
        Bounds in percent; ``high`` is ``None`` when nothing bounds the rate.
    sentence
        French text for the whole.
    """

    produced: ValueSheet
    used: ValueSheet
    rate: ValueSheet
    kind: Literal["exact", "least", "between", "none"]
    low: float | None
    high: float | None
    sentence: str


@dataclass(frozen=True)
class UseLine:
    """Consumption of one sector on one network, MWh in the year."""

    network: str
    sector: str
    label: str
    value: float | None
    text: str
    status: str
    demo: bool
    share: float | None
    sheet: ValueSheet | None


@dataclass(frozen=True)
class Use:
    """Consumption by sector.

    Attributes
    ----------
    year
        Year shown, ``None`` when none is known.
    years
        Years that may be asked for, the last one first.
    lines
        Networks (``sector`` is empty) and their sectors.
    note
        What must be known to read it.
    """

    year: int | None
    years: tuple[int, ...]
    lines: tuple[UseLine, ...]
    note: str = ""


@dataclass(frozen=True)
class Mix:
    """Power by group in one territory: shares from 0 to 1, or the reason why there is none."""

    level: str
    name: str
    shares: Mapping[str, float]
    reason: str
    demo: bool


@dataclass(frozen=True)
class Register:
    """The lines of the register of one territory.

    Attributes
    ----------
    kind
        ``register``: whole; ``sites``: an extract without the small installations; ``none``: nothing describes it.
    sites
        Lines of 36 kW and more that a commune locates.
    small
        Lines of the smaller installations, added up by commune or IRIS by the publisher.
    unplaced
        Lines that no commune claims, counted in this territory.
    near
        Lines that no commune claims in the department: a commune or an EPCI does not count them.
    source
        Title, producer and vintage of the file.
    """

    kind: Literal["register", "sites", "none"]
    sites: pl.DataFrame
    small: pl.DataFrame
    unplaced: pl.DataFrame
    near: pl.DataFrame
    demo: bool
    source: str

    @property
    def rows(self) -> pl.DataFrame:
        """Every line counted in the territory."""
        return pl.concat([self.sites, self.small, self.unplaced])


@dataclass(frozen=True, eq=False)
class EnergyPage:
    """The page of energy of a town, for one territory.

    Attributes
    ----------
    code, name
        The commune.
    place
        Territory of the figures, of the map and of the lists: the commune or one that holds it.
    state
        ``ok``; ``zero``: known, and nothing runs there; ``secret``: the energy is; ``partial``: too many powers are not
        published for a total; ``sites``: an extract that gives no total; ``missing``: no file describes it.
    headline
        French sentences, the most important first.
    notes
        What must be known of the whole page (another grid operator, an extract…).
    key_figures
        Value sheets, those of a commune with their ranks and spreads.
    sheets
        Every value sheet of the theme for the territory, by indicator.
    comparison
        Value sheets of the commune whose larger territories are compared.
    mixes
        Power by group in the commune and the territories that hold it.
    power_years
        Power over the years; ``None`` when no date is known.
    series
        Yearly series, drawable or not.
    regional
        Yearly production of the region by sector.
    points
        Sites on the map: columns of :func:`bourg.energy.places.installations_geo`.
    lost
        Sites of the territory without any point.
    farms
        Wind sites with the share of a mast (:func:`bourg.energy.masts.wind_farms`).
    """

    code: str
    name: str
    place: Place
    comparator: str
    state: State
    headline: tuple[str, ...]
    notes: tuple[str, ...]
    key_figures: tuple[ValueSheet, ...]
    sheets: Mapping[str, ValueSheet]
    sectors: tuple[SectorLine, ...]
    balance: Balance
    comparison: tuple[ValueSheet, ...]
    mixes: tuple[Mix, ...]
    quotients: tuple[ValueSheet, ...]
    use: Use
    power_years: PowerYears | None
    series: tuple[Evolution, ...]
    regional: tuple[Evolution, ...]
    register: Register
    points: pl.DataFrame
    lost: pl.DataFrame
    farms: pl.DataFrame
    snapshot_id: str
    demo: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "commune": {"code": self.code, "nom": self.name},
            "territoire": {"niveau": self.place.level, "code": self.place.code, "nom": self.place.name},
            "etat": self.state,
            "phrases": list(self.headline),
            "remarques": list(self.notes),
            "indicateurs": [sheet.to_dict() for sheet in self.sheets.values()],
            "couverture": {
                "phrase": self.balance.sentence, "statut": self.balance.kind, "minimum": self.balance.low,
                "maximum": self.balance.high,
            },
            "consommation": {
                "annee": self.use.year, "annees": list(self.use.years),
                "lignes": [{**asdict(line), "sheet": None} for line in self.use.lines],
            },
            "evolutions": [item.to_dict() for item in self.series],
            "region": [item.to_dict() for item in self.regional],
            "installations": [_plain(row) for row in self.points.to_dicts()],
            "demonstration": self.demo,
            "instantane": self.snapshot_id,
        }  # fmt: skip

    def to_text(self) -> str:
        """Return the page as plain text."""
        lines = [*self.headline, *self.notes, "", f"PUISSANCE ET PRODUCTION ({self.place.name})"]
        for line in self.sectors:
            produced = f" ; injecté : {line.injected.text}" if line.injected else ""
            lines.append(f"  {line.label} : {line.power.text}{_mark(line.power)}{produced}")
        lines += ["", self.balance.sentence, "", f"CONSOMMATION ({self.use.year or 'année inconnue'})"]
        lines += [f"  {line.label} : {line.text}{' ◆' if line.demo else ''}" for line in self.use.lines]
        lines += ["", "COMPARAISON"]
        for sheet in self.comparison:
            cells = [f"{self.name} {sheet.text}", *(f"{item.name} {item.text}" for item in sheet.elsewhere)]
            lines.append(f"  {sheet.label} : {' · '.join(cells)}")
        if self.demo:
            lines += ["", "◆ valeur de démonstration, fabriquée : elle ne dit rien du territoire réel."]
        return "\n".join(lines)


def _mark(sheet: ValueSheet) -> str:
    return " ◆" if sheet.demo else ""


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


def usable(sheet: ValueSheet | None) -> bool:
    """Tell whether a sheet has a value."""
    return sheet is not None and sheet.status in USABLE and sheet.value is not None


def sector_label(sector: str) -> str:
    """Return the French name of a sector of the register, with a capital."""
    label = LABELS[sector]
    return label[0].upper() + label[1:]
