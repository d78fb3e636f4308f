"""Trouble that is told to the person at the terminal, always by a sentence."""


class CannotStart(Exception):
    """The service, or a command that needs its data, cannot start. The message says what to do."""


class BadRequest(Exception):
    """What an operator asked for cannot be done; the sentence says why."""
