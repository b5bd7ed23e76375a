"""What petops tells a person when something goes wrong.

A bug is no `PetopsError`: it is left to crash. `commands/main.py` alone prints these.
"""

from __future__ import annotations


class PetopsError(Exception):
    """Something a person can act on: one clear sentence, and often a hint.

    `exit_code` is the process' exit status: 1 failed, 2 usage, 4 refused.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PetopsError):
    """What was asked for does not exist or makes no sense."""

    exit_code = 2


class RefusedError(PetopsError):
    """A guard, an approval rule or a permission said no."""

    exit_code = 4


class SourceError(PetopsError):
    """A source of evidence could not answer; the investigation goes on without it."""


class ForbiddenError(SourceError):
    """A source answered that petops may not ask this."""


class NotThereError(SourceError):
    """The object that was asked for does not exist (any more)."""


class DeniedError(SourceError):
    """The cluster refused a change for good: by validation, quota or an admission webhook."""


class StaleError(PetopsError):
    """The object is not as it was when the change was read; nothing was changed."""


class OutcomeUnknownError(PetopsError):
    """An act was sent and its answer never came; only the cluster knows whether it happened."""


class ConflictError(PetopsError):
    """Another append took this sequence number first; read again and decide anew."""


class SupersededError(PetopsError):
    """A later engine holds the journal: this one must not write or act any more."""

    exit_code = 4


class IllegalEventError(PetopsError):
    """An event may not happen in the phase that its incident is in."""


class JournalError(PetopsError):
    """The journal cannot be opened, read or written."""


def first_problem(raised: BaseException) -> PetopsError | None:
    """Return what a person can act on, from within the groups that tasks put it in."""
    while isinstance(raised, BaseExceptionGroup):
        raised = raised.exceptions[0]
    return raised if isinstance(raised, PetopsError) else None
