"""Why a service does not start: always a sentence for the person who started it."""


class CannotStart(Exception):
    """The service, or a command that needs its data, cannot start. The message says what to do."""
