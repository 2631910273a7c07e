"""From a movie and settings to a lazy magnified movie, its layer, recipe and script."""
