"""``napari-motionmag train``: train a network. It has a parser of its own."""


def add_command(commands, common) -> None:
    """Add the command ``train``."""
    commands.add_parser("train", help="train a network on synthetic scenes")


def main(argv: list[str]) -> int | None:
    """Run the command."""
    from napari_motionmag.training import train

    return train.main(argv)
