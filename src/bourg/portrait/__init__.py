"""The portrait document of a town, and its faces."""
