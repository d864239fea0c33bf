"""From files to a published snapshot: the one place that calls readers, indicators and map layers in order."""

from bourg.build.builder import Builder, BuildReport, build

__all__ = ["BuildReport", "Builder", "build"]
