"""scikit-image, which is an optional dependency."""

from __future__ import annotations

__all__ = ["require_scikit_image"]


def require_scikit_image(what: str) -> None:
    """ImportError that says what to install, unless scikit-image can be imported."""
    try:
        import skimage.registration  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{what} needs scikit-image; install it with "
            "pip install 'napari-motionmag[registration]'"
        ) from error
