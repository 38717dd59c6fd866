"""completion: the script that has a shell complete commands, options, PACSs and services."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from pfdcmd.ctl.problems import WrongUse

_VARIABLE = "_PFDCMCTL_COMPLETE"
_PROGRAM = "pfdcmctl"


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Have a shell complete what you type.

    Prints a script. To have it from now on:

    \b
    bash   pfdcmctl completion bash >> ~/.bashrc
    zsh    pfdcmctl completion zsh >> ~/.zshrc
    fish   pfdcmctl completion fish > ~/.config/fish/completions/pfdcmctl.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise WrongUse(f"There is no completion for {shell}.")
    click.echo(kind(context.find_root().command, {}, _PROGRAM, _VARIABLE).source())
