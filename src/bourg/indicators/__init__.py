"""The indicator engine: declared objects, one file per theme."""
