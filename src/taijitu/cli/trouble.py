"""How a command says no."""


class Refusal(Exception):
    """What was asked cannot be done. The sentence says why, and what would help."""
