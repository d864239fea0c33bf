"""What can go wrong with an extract, a network or a point, said in French."""

from __future__ import annotations

from bourg.errors import BourgError, ParameterError, SourceFormatError


class ExtractFormatError(SourceFormatError):
    """An extract that cannot be read: wrong extension, truncated or corrupt file."""


class NoStreetError(BourgError, ValueError):
    """An extract without objects, or without any street that somebody may use."""

    exit_code = 4


class ElevationError(SourceFormatError):
    """An elevation raster that cannot be read or has no coordinate system."""


class NetworkFolderError(BourgError, RuntimeError):
    """A folder that holds no network, a damaged one, or one made by another version."""

    exit_code = 7


class SwappedCoordinatesError(ParameterError):
    """Points that would be on the network if longitude and latitude were exchanged."""
