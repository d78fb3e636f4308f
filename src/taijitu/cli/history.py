"""`taijitu history`: everything that happened to one object of a space."""

from taijitu.cli import words


def history(space: str, cid: str, /, *, json: bool = False) -> None:
    """Tell everything that happened to one object of a space, oldest first.

    Each transition with its message and the state it led to, the plan that was made then (▸ marks
    the pipeline that came to its end) and how its tasks went. Times are UTC.

    Parameters
    ----------
    space
        The space, a did:key.
    cid
        The object: the link of a CAR, or any other CID of the same bytes.
    json
        Print JSON, with every field.
    """
    from taijitu.cli.reach import ask

    found = ask("history", space=space, cid=cid)
    if json:
        words.print_json(found)
        return

    from rich.console import Console

    from taijitu.cli.story import marks, told

    console = Console(highlight=False, emoji=False, soft_wrap=True)
    console.print(f"{cid}\n{space}", style="bold", markup=False)
    if not found["is_whole"]:
        console.print("\n     … older transitions are not shown")
    for step in found["steps"]:
        console.print()
        for line in told(step, marks()):
            console.print(line)
