"""Phase and Riesz along a run in temporal mode, against static mode and against frames drawn alone.

    python benchmarks/classical_runs.py [--size N] [--frames N] [--alone N]

CPU milliseconds a frame, one thread, 0.4-3 Hz at 30 frames per second: of all frames in order, and
of single frames far apart, of which none can use another's work.
"""

from __future__ import annotations

import argparse
import time
import warnings


def milliseconds(magnification, times) -> float:
    """CPU time a frame, drawn one by one."""
    start = time.process_time()
    for t in times:
        magnification.draw([t])
    return 1e3 * (time.process_time() - start) / len(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=96, help="side of the frames, px")
    parser.add_argument("--frames", type=int, default=301)
    parser.add_argument("--alone", type=int, default=3, help="number of single frames")
    arguments = parser.parse_args()
    import torch

    from napari_motionmag import samples
    from napari_motionmag.magnification.magnification import plan

    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)
    n = arguments.frames
    movie, _ = samples.load("beating_cell", n_frames=n, size=arguments.size)
    temporal = {"mode": "temporal", "band": (0.4, 3)}
    print("method  static  temporal  ratio  alone  ratio")
    for method in ("phase", "riesz"):
        how = {"method": method, "device": "cpu", "fps": 30, "axes": "TYX"}
        plan(movie, 10, **how).draw([1])  # filters are made once
        static = milliseconds(plan(movie, 10, **how), range(n))
        run = milliseconds(plan(movie, 10, **how, **temporal), range(n))
        spread = [(2 * k + 1) * n // (2 * arguments.alone) for k in range(arguments.alone)]
        alone = milliseconds(plan(movie, 10, **how, **temporal), spread)
        print(
            f"{method:<7} {static:>6.1f} {run:>9.1f} {run / static:>6.2f} "
            f"{alone:>6.0f} {alone / static:>6.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
