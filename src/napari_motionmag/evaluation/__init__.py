"""The protocols of the paper as code: ``napari-motionmag evaluate``."""


def main(argv: list[str] | None = None) -> int:
    """Run ``napari-motionmag evaluate``."""
    from napari_motionmag.evaluation.run import main as run

    return run(argv)
