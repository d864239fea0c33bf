"""Typed errors that a French-speaking user can act on.

Every error says what happened, where, why, and what to do next (DESIGN 6). Each class also inherits a
built-in exception, so that callers may catch either.
"""

from __future__ import annotations


class BourgError(Exception):
    """Root of the errors shown to users.

    Parameters
    ----------
    what
        What went wrong, one French sentence.
    where
        File, line, column, argument or URL parameter; empty when it is obvious.
    why
        The cause, when it is known.
    next_step
        What the reader can do about it.
    """

    exit_code = 1
    http_status = 400

    def __init__(self, what: str, *, where: str = "", why: str = "", next_step: str = "") -> None:
        self.what = what
        self.where = where
        self.why = why
        self.next_step = next_step
        super().__init__(str(self))

    def __str__(self) -> str:
        """Return the whole message on one line per part."""
        parts = [self.what]
        if self.where:
            parts.append(f"Où : {self.where}")
        if self.why:
            parts.append(f"Pourquoi : {self.why}")
        if self.next_step:
            parts.append(f"Que faire : {self.next_step}")
        return "\n".join(parts)

    def to_dict(self) -> dict[str, str]:
        """Return the error as it is printed by ``--json`` and by the HTTP routes."""
        return {
            "erreur": type(self).__name__,
            "quoi": self.what,
            "ou": self.where,
            "pourquoi": self.why,
            "que_faire": self.next_step,
        }


class MalformedCodeError(BourgError, ValueError):
    """A text that cannot be a territory code."""

    exit_code = 2


class UnknownTerritoryError(BourgError, KeyError):
    """A well-formed code or a name that names nothing in the reference geography."""

    exit_code = 3
    http_status = 404

    __str__ = BourgError.__str__


class UnknownIndicatorError(BourgError, KeyError):
    """An indicator that is not in the registry."""

    exit_code = 3
    http_status = 404

    __str__ = BourgError.__str__


class ParameterError(BourgError, ValueError):
    """A parameter (option, URL, filter) out of its allowed values."""

    exit_code = 2


class SourceFormatError(BourgError, ValueError):
    """A file that is not what its source says: columns, separator, encoding, truncated content."""

    exit_code = 4


class ArchiveError(SourceFormatError):
    """An archive that is damaged, encrypted, or that would unpack to an unreasonable size."""


class SourceUnavailableError(BourgError, OSError):
    """A source that could be found neither on the network, nor in the mirror, nor in the demonstration."""

    exit_code = 5
    http_status = 503

    __str__ = BourgError.__str__


class StorageError(BourgError, OSError):
    """Disk full, read-only folder, lock already held: nothing was changed."""

    exit_code = 6
    http_status = 503

    __str__ = BourgError.__str__


class SnapshotError(BourgError, RuntimeError):
    """No usable snapshot, or one damaged or made by another version."""

    exit_code = 7
    http_status = 503


class DeclarationError(BourgError, TypeError):
    """A source, an indicator or a parameter declared with missing or unknown attributes."""

    exit_code = 70
    http_status = 500
