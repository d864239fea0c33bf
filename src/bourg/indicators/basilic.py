"""What the indicators counted in Basilic, the places of the Ministry of Culture, declare alike."""

from __future__ import annotations

from functools import partial

from bourg.geography.levels import LEVELS
from bourg.indicators.registry import indicator

BASILIC = "Ministère de la Culture (DEPS), base des lieux et équipements culturels (Basilic)"

_of_basilic = partial(
    indicator, theme="culture", levels=LEVELS, direction="neutral", secrecy=None, period="vintage"
)  # fmt: skip
# Number of places; places for some inhabitants; share of the places; measure of how many types there are.
place_count = partial(_of_basilic, kind="count", unit="lieux", sources=("basilic",), decimals=0)
place_rate = partial(_of_basilic, kind="ratio", sources=("basilic", "populations"), decimals=2)
place_share = partial(_of_basilic, kind="share", unit="%", sources=("basilic",), decimals=1)
type_index = partial(_of_basilic, kind="index", sources=("basilic",))
