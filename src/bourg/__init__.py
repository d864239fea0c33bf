"""Bourg, the open observatory of French small towns."""

__version__ = "0.1.0"
