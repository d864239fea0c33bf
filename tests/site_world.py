"""The small site that the tests make."""

from __future__ import annotations

# A small town, a prefecture, a village, Corsica, an island without census, the largest city.
CODES = ("12145", "12202", "12001", "2A004", "97601", "75056")
ADDRESS = "https://bourg.exemple/sous-dossier/"
