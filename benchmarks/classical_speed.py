"""Speed and quality of the Riesz pyramid against the half-octave steerable pyramid.

    python benchmarks/classical_speed.py [--repeats N] [--amplitude A]

For every sample movie, the frame of the largest motion is magnified against the scene at rest, by
both methods in turn, without noise. The truth is the sample rendered with that much more motion.
Times are medians of CPU seconds of one thread; the smaller `error` is the better: root mean square
error over that of the frame as it was. `gain` is the share of the change asked for (1 is right).
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import numpy as np

_SEARCHED = 40  # frames in which the largest motion is looked for
_HEAD = """\
                                    ms a frame           SSIM              gain         error
sample                 size factor  phase riesz ratio  input phase riesz  phase riesz  phase riesz"""  # noqa: E501


def pair(name: str, amplitude: float | None) -> tuple[list[np.ndarray], np.ndarray, float]:
    """The scene at rest and moved, as frames from 0 to 1; the truth; the factor."""
    from napari_motionmag import samples

    about = samples.load(name, n_frames=2)[1]
    factor = float(about["suggestion"]["factor"])
    moves = [np.hypot(*about["displacement"](t)).max() for t in range(_SEARCHED)]
    t = int(np.argmax(moves))
    base = np.multiply(about["amplitude"], 1.0 if amplitude is None else amplitude / moves[t])
    still = {"drift": 0.0} if name == "drifting_membrane" else {}

    def frame(times: float) -> np.ndarray:
        options = {"amplitude": (times * base).tolist(), "noise": False, "dtype": "float32"}
        last = samples.load(name, n_frames=t + 1, **options, **still)[0][t]
        if about["axes"].endswith("S"):
            return last @ np.float32([0.299, 0.587, 0.114])
        return last[0] if "C" in about["axes"] else last

    rest, moved, truth = frame(1e-9), frame(1.0), frame(factor)
    black, white = rest.min(), rest.max()
    unit = [(f - black) / (white - black) for f in (rest, moved, truth)]
    return unit[:2], unit[2], factor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--amplitude", type=float, help="largest motion of the input, px")
    arguments = parser.parse_args()
    import torch
    from skimage.metrics import structural_similarity

    from napari_motionmag import samples
    from napari_motionmag.methods.classical.phase import PhaseMagnifier
    from napari_motionmag.methods.classical.riesz import RieszMagnifier
    from napari_motionmag.temporal import Static

    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)
    methods = {"phase": PhaseMagnifier(device="cpu"), "riesz": RieszMagnifier(device="cpu")}
    print(_HEAD)
    ratios = []
    for name in samples.NAMES:
        if name == "still":
            continue
        frames, truth, factor = pair(name, arguments.amplitude)
        spent: dict[str, list[float]] = {key: [] for key in methods}
        out = {key: m.magnify(frames, Static(), [1], factor)[0] for key, m in methods.items()}
        for _ in range(arguments.repeats):
            for key, method in methods.items():
                start = time.process_time()
                method.magnify(frames, Static(), [1], factor)
                spent[key].append(time.process_time() - start)
        a, b = (1e3 * statistics.median(spent[key]) for key in methods)
        ratios.append(a / b)
        inner = np.s_[12:-12, 12:-12]
        asked = (truth - frames[1])[inner]
        scale = np.sqrt((asked**2).mean())
        shown = [frames[1], *out.values()]
        ssim = [structural_similarity(f[inner], truth[inner], data_range=1.0) for f in shown]
        gains = [((f - frames[1])[inner] * asked).sum() / (asked**2).sum() for f in out.values()]
        errors = [np.sqrt(((f - truth)[inner] ** 2).mean()) / scale for f in out.values()]
        quality = "  ".join(" ".join(f"{v:.3f}" for v in row) for row in (ssim, gains, errors))
        size = f"{truth.shape[0]}x{truth.shape[1]}"
        print(f"{name:<19} {size:>7} {factor:>6.0f} {a:>6.0f} {b:>5.0f} {a / b:>5.1f}  {quality}")
    print(f"median of the ratios {statistics.median(ratios):.1f}")


if __name__ == "__main__":
    main()
