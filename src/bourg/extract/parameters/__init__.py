"""Dated parameters of the extractor."""
