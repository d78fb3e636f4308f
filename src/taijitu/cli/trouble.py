"""How a command says no."""


class Refusal(Exception):
    """What was asked cannot be done. The sentence says why, and what would help."""


class Misuse(Exception):
    """What was asked makes no sense. The sentence says how to ask."""
