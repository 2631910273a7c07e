"""Recipes: how a magnified layer was made, and the same again on another layer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from napari_motionmag.compute.validate import same_kind
from napari_motionmag.magnification.layer import weights_hash
from napari_motionmag.magnification.magnification import magnify_layer, plan
from napari_motionmag.magnification.settings import OF_THE_MOVIE, MagnifySettings
from napari_motionmag.movie.layer_traits import is_layer
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import TemporalOperator

_KEY = "napari_motionmag"


def is_magnified(layer) -> bool:
    """Whether the metadata of a layer hold a recipe."""
    info = getattr(layer, "metadata", {}).get(_KEY)
    return isinstance(info, Mapping) and "recipe" in info


def recipe_of(made) -> dict[str, Any]:
    """Return the recipe of a magnified layer.

    Parameters
    ----------
    made : napari.layers.Image or mapping
        A layer of `napari_motionmag.magnify_layer` or the widget, its metadata, or a recipe.

    Raises
    ------
    ValueError
        When there is no recipe in it.
    """
    if is_layer(made):
        if not is_magnified(made):
            raise ValueError(f"layer {made.name!r} is not magnified: its metadata have no recipe")
        made = made.metadata
    if isinstance(made, Mapping):
        made = made.get(_KEY, made)
        made = made.get("recipe", made)
    # files of the command line of version 0.1 have the mode, not the operator
    if not isinstance(made, Mapping) or "factor" not in made or not {"operator", "mode"} & {*made}:
        raise ValueError(f"expected a magnified layer or its recipe, got {made!r}")
    return dict(made)


def arguments(recipe: Mapping) -> dict[str, Any]:
    """Return the arguments of `magnify` that a recipe stands for.

    Parameters
    ----------
    recipe : mapping
        As `Magnification.recipe`.

    Returns
    -------
    dict
        Factor, mode, and the keywords that differ from their defaults. ``mode`` is a name where
        that is enough, and otherwise a temporal operator.
    """
    return MagnifySettings.from_recipe(recipe).arguments()


def arguments_for_another(made) -> dict[str, Any]:
    """Return the arguments of `magnify` for another movie.

    Frame rate, axes and intensity range are left to that movie, unless the user gave them.
    """
    recipe = recipe_of(made)
    values = arguments(recipe)
    for name in OF_THE_MOVIE:
        if name not in recipe.get("given", ()):
            values.pop(name, None)
    if isinstance(values["mode"], TemporalOperator):
        values["mode"] = replace(values["mode"], fps=None)  # bound anew
    return values


def repeat(made, on, **changes):
    """Magnify another layer in the same way.

    Frame rate, axes and intensity range are those of the other layer, unless the user gave them.

    Parameters
    ----------
    made : napari.layers.Image or mapping
        A magnified layer or its recipe.
    on : napari.layers.Image
        The other source.
    **changes
        Arguments of `magnify` to replace.

    Returns
    -------
    napari.layers.Image
        As `napari_motionmag.magnify_layer` makes it: lazy, not added to a viewer.

    Raises
    ------
    ValueError, TypeError
        When the recipe does not fit the other layer.

    Warns
    -----
    UserWarning
        When the weights have changed since, or the given frame rate is not the other layer's.
    """
    return magnify_layer(on, **repeated(made, on, **changes))


def repeated(made, on, **changes) -> dict[str, Any]:
    """Return the arguments that `repeat` gives to `magnify_layer`, after checking that they fit."""
    recipe = recipe_of(made)
    values = arguments_for_another(recipe) | changes
    try:
        plan(on, **values)
    except (ValueError, TypeError) as error:
        whose = f" of {made.name!r}" if is_layer(made) else ""
        name = getattr(on, "name", "the movie")
        raise same_kind(error, f"the recipe{whose} does not fit {name!r}: {error}") from error
    _warn_of_other_rate(values, on)
    _warn_of_other_weights(made, recipe)
    return values


def _warn_of_other_rate(values: Mapping, on) -> None:
    fps = values.get("fps")
    own = Movie.from_any(on, axes=values.get("axes")).fps
    if fps is not None and own is not None and abs(fps - own) > 1e-3 * fps:
        warnings.warn(
            f"fps={fps:g} was given and is used again, but {on.name!r} says {own:g} fps",
            stacklevel=4,
        )


def _warn_of_other_weights(made, recipe: Mapping) -> None:
    info = made.metadata[_KEY] if is_layer(made) else made
    before, now = info.get("weights_sha256"), weights_hash(recipe)
    if before and now and before != now:
        warnings.warn(
            f"model {recipe['model']!r} is not what it was: its weights have the hash {now[:12]}…, "
            f"those used first {before[:12]}…",
            stacklevel=4,
        )
