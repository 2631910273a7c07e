"""How a magnified layer was made: as arguments, as a script, and done again on another layer."""

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
    """Whether a layer says how it was magnified."""
    about = getattr(layer, "metadata", {}).get(_KEY)
    return isinstance(about, Mapping) and "recipe" in about


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
    if not isinstance(made, Mapping) or not _is_recipe(made):
        raise ValueError(f"expected a magnified layer or its recipe, got {made!r}")
    return dict(made)


def _is_recipe(made: Mapping) -> bool:
    # files of the command line of version 0.1 have the mode, not the operator
    return "factor" in made and ("operator" in made or "mode" in made)


def arguments(recipe: Mapping) -> dict[str, Any]:
    """Return the arguments of `magnify` that a recipe stands for.

    Parameters
    ----------
    recipe : mapping
        As `Magnification.recipe`.

    Returns
    -------
    dict
        Keywords, ``factor`` among them; those that are as by default are left out. ``mode`` is a
        name where a name says it all, and otherwise a temporal operator.
    """
    return MagnifySettings.from_recipe(recipe).arguments()


def repeat(made, on, **changes):
    """Magnify another layer in the same way.

    Frame rate, axes and intensity range are those of the other layer, except where they were
    given by the user and not by the first layer.

    Parameters
    ----------
    made : napari.layers.Image or mapping
        A magnified layer or its recipe.
    on : napari.layers.Image
        The other source.
    **changes
        Arguments of `magnify` that are to be different.

    Returns
    -------
    napari.layers.Image
        As `napari_motionmag.magnify_layer` makes it: lazy, not added to a viewer.

    Raises
    ------
    ValueError, TypeError
        When the recipe does not fit the other layer; says why.

    Warns
    -----
    UserWarning
        When the weights are no longer those that were used, or the frame rate that was given is
        not what the other layer says.
    """
    return magnify_layer(on, **repeated(made, on, **changes))


def repeated(made, on, **changes) -> dict[str, Any]:
    """Return the arguments that `repeat` gives to `magnify_layer`; checked that they fit."""
    recipe = recipe_of(made)
    given = set(recipe.get("given", ()))
    said = arguments(recipe)
    for key in set(OF_THE_MOVIE) - given:
        said.pop(key, None)
    if isinstance(said.get("mode"), TemporalOperator):
        said["mode"] = replace(said["mode"], fps=None)  # bound anew
    said |= changes
    try:
        plan(on, **said)
    except (ValueError, TypeError) as error:
        whose = f" of {made.name!r}" if is_layer(made) else ""
        name = getattr(on, "name", "the movie")
        raise same_kind(error, f"the recipe{whose} does not fit {name!r}: {error}") from error
    _warn_of_other_rate(said, on)
    _warn_of_other_weights(made, recipe)
    return said


def _warn_of_other_rate(said: Mapping, on) -> None:
    fps = said.get("fps")
    told = Movie.from_any(on, axes=said.get("axes")).fps
    if fps is not None and told is not None and abs(fps - told) > 1e-3 * fps:
        warnings.warn(
            f"fps={fps:g} was given and is used again, but {on.name!r} says {told:g} fps",
            stacklevel=4,
        )


def _warn_of_other_weights(made, recipe: Mapping) -> None:
    about = made.metadata[_KEY] if is_layer(made) else made
    before, now = about.get("weights_sha256"), weights_hash(recipe)
    if before and now and before != now:
        warnings.warn(
            f"model {recipe['model']!r} is not what it was: its weights have the hash {now[:12]}…, "
            f"those used first {before[:12]}…",
            stacklevel=4,
        )
