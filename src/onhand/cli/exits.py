"""Exit codes: what a script may do next, by kind of failure."""

from __future__ import annotations

import enum

from onhand.client import CallFailed, NotServed, OutcomeUnknown, RefusedByRules, RequestFault
from onhand.service.faults import Fault, InvariantViolation, UnknownEnvironment
from onhand.service.faults import OutcomeUnknown as CommitUnknown
from onhand.settings import SettingsError


class Exit(enum.IntEnum):
    """Exit codes of every command."""

    DONE = 0
    """Done; also when nothing had to be done."""
    FAULT = 2
    """The request is wrong: fix it, then send it again."""
    REFUSED = 3
    """The rules said no; nothing changed."""
    BUSY = 4
    """Busy or unreachable; nothing was recorded, try again later."""
    UNKNOWN = 5
    """The answer was lost; send it again with the same id."""
    VIOLATION = 70
    """Stored data contradicts itself, or the service has a defect."""


class CommandFailed(Exception):  # noqa: N818 - it carries an exit code, it is no defect
    """A command ends with a message and an exit code."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


FAILURES = (CommandFailed, CallFailed, Fault, SettingsError, BrokenPipeError)
"""What ends a command in an orderly way; anything else is a defect and shows its trace."""


_CODES: tuple[tuple[tuple[type[BaseException], ...], Exit], ...] = (
    ((RefusedByRules,), Exit.REFUSED),
    ((RequestFault, SettingsError, UnknownEnvironment), Exit.FAULT),
    ((NotServed,), Exit.BUSY),
    ((OutcomeUnknown, CommitUnknown), Exit.UNKNOWN),
    ((InvariantViolation, CallFailed), Exit.VIOLATION),
    ((BrokenPipeError,), Exit.DONE),
    ((Fault,), Exit.BUSY),
)
"""First match wins; the other faults are pressure or an outage."""


def exit_of(failure: BaseException) -> Exit:
    """Exit code of a failure."""
    if isinstance(failure, CommandFailed):
        return failure.code
    return next(code for kinds, code in _CODES if isinstance(failure, kinds))
