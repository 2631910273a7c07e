"""``napari-motionmag evaluate``: measure the methods. It has a parser of its own."""


def add_command(commands, common) -> None:
    """Add the command ``evaluate``."""
    commands.add_parser("evaluate", help="measure the methods by the protocols of the paper")


def main(argv: list[str]) -> int | None:
    """Run the command."""
    from napari_motionmag import evaluation

    return evaluation.main(argv)
