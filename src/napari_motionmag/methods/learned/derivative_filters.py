"""Matched 5-tap filters of Farid and Simoncelli (2004): smoothing, and its derivative.

The gradient is that of the same band-limited picture that a variation is smoothed to.
"""

SMOOTH = (0.037659, 0.249153, 0.426375, 0.249153, 0.037659)
SLOPE = (-0.109604, -0.276690, 0.0, 0.276690, 0.109604)
