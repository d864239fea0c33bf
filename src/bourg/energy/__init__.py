"""Renewable energy: specialisation, coverage of the consumption, power over the years, wind masts, places on the map.

Pure functions on tables: this package knows the parameters and nothing of the pages.
"""
