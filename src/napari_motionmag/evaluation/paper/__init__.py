"""The figures of Oh et al. (ECCV 2018) drawn again: ``napari-motionmag evaluate --paper OUT``.

Each figure is a small function that returns its numbers and its picture.
"""
