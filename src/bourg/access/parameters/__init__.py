"""Dated parameters of the access engine."""
