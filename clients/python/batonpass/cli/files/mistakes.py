"""What is wrong with a file."""

import click


class Mistake(ValueError):
    """One thing that is wrong within a document: where (`specs[0].cron`), and the rule that it breaks."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path}: {rule}" if path else rule)
        self.path = path
        self.rule = rule


class WrongFiles(click.UsageError):
    """Files that cannot be used as they are; nothing was changed. Each line names file, document and path."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(["the files are not right, so nothing was changed:", *lines]))
