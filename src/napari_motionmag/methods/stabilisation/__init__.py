"""Align frames to a moving object, magnify what motion is left, and undo the alignment."""
