"""How the tables of shops are brought together: one file of Sirene is enough, its codes are moved."""

from __future__ import annotations

# Tables whose ``code`` is a commune. ``shop_periods`` has none: the stock of establishments places it, by SIRET.
SHOP_TABLES = frozenset({"shops", "shop_years", "shop_survival", "shop_turnover", "open_shops"})
