"""Territory codes, names, levels and vintages: the only door through which a code enters."""
