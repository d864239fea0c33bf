"""Dated parameters of the comparison engine, one YAML file each."""
