"""Damage the bytes of files."""

import random


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Flip bits, cut off the end, or overwrite a run of bytes."""
    content = bytearray(content)
    kind = rng.choice(["flip", "flip", "head", "cut", "zero", "fill"])
    if kind == "cut":
        return bytes(content[: rng.randrange(len(content))])
    if kind in ("flip", "head"):
        end = min(len(content), 600) if kind == "head" else len(content)
        for _ in range(rng.choice([1, 1, 2, 8])):
            content[rng.randrange(end)] ^= 1 << rng.randrange(8)
        return bytes(content)
    start = rng.randrange(len(content))
    stop = min(len(content), start + rng.choice([1, 4, 40]))
    content[start:stop] = bytes([0 if kind == "zero" else 255]) * (stop - start)
    return bytes(content)
