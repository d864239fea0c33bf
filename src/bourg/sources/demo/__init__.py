"""Demonstration data: generated files in the official layouts, deterministic and calibrated on national totals."""

from bourg.sources.demo.generator import DEFAULT_SEED, DEMO_FILES, generate
from bourg.sources.demo.mock import MOCK_FILE, mock_sample, write_mock_sample

__all__ = ["DEFAULT_SEED", "DEMO_FILES", "MOCK_FILE", "generate", "mock_sample", "write_mock_sample"]
