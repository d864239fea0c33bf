"""Snapshots: raw files, typed tables, values; atomic, dated, checksummed."""
