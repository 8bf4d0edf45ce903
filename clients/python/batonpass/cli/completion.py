"""`batonpass completion`."""

import click
from click.shell_completion import get_completion_class

from batonpass.cli.verb import Verb


@click.command(
    cls=Verb,
    examples="""
    source <(batonpass completion bash)
    batonpass completion zsh > ~/.zfunc/_batonpass
    batonpass completion fish > ~/.config/fish/completions/batonpass.fish
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands in a shell."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    click.echo(kind(context.find_root().command, {}, "batonpass", "_BATONPASS_COMPLETE").source())
