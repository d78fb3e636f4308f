"""`taijitu completion`: let a shell complete commands and options."""

from typing import Literal


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Let a shell complete commands and options: print the script with which it does.

    bash: `eval "$(taijitu completion bash)"` in ~/.bashrc. zsh: the output in a file `_taijitu` in
    a folder of $fpath. fish: the output in ~/.config/fish/completions/taijitu.fish.

    Parameters
    ----------
    shell
        bash, zsh or fish.
    """
    from taijitu.cli.commands import app

    print(app.generate_completion(prog_name="taijitu", shell=shell))
