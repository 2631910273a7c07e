"""CPU of magnify() against a plain port of the network, and share of attainable arithmetic.

    python benchmarks/engine.py [--quick] [--threads N]

Each round runs, one after the other: the plain port (see plain_port.py) on two frames; the port
without reflection padding; `magnify(..., model="oh2018")` and `magnify(..., model="difference")`
on a frame they have not seen, from the uint8 movie to the uint8 frame, in static mode; both
without the kernels that numba compiles, as where it is not installed; and a large convolution,
whose speed is what this machine attains at that moment. CPU seconds of the process, medians over
the rounds, ratios within rounds. Arithmetic is that of plain convolutions: kernels that need fewer
multiplications can have more than all that is attainable.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from unittest.mock import patch

from common import Arithmetic, Table, arguments, big_convolution, interleaved, movie, passed, ratio
from plain_port import draw, with_weights

from napari_motionmag import magnify
from napari_motionmag.methods.learned import kernels as cpu
from napari_motionmag.methods.learned import weights

NETWORKS = "oh2018", "difference"
TARGETS = {"oh2018": 3.0, "difference": 4.0, "share": 0.6, "gmac": 110.0}


def main() -> None:
    given = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        measure(given, Path(folder))


def measure(given, folder: Path) -> None:
    """All rounds; weights in `folder` have engines, and encodings, of their own."""
    size, rounds = (256, 2) if given.quick else (512, 7)
    film = movie(rounds + 3, size)
    network, _ = weights.load("oh2018")
    ports = {mode: with_weights(network, mode) for mode in ("reflect", "zeros")}
    models = {name: weights.resolve(name) for name in NETWORKS}
    if cpu.available():
        for name in list(models):
            path = models[f"{name}, no kernels"] = folder / f"{name}.safetensors"
            copied, card = weights.load(name)
            weights.save(path, copied, {**card, "copy": True})
    ours = {
        name: magnify(film, 5, model=path, device="cpu", precision="float32")
        for name, path in models.items()
    }
    convolution, macs = big_convolution(size)

    def frame(name):
        def work(number):
            off = "switched off" if "no kernels" in name else cpu.why_unavailable()
            with patch.object(cpu, "why_unavailable", lambda: off):
                return ours[name][number + 1].compute(scheduler="synchronous")

        return work

    works = {
        "plain port": lambda number: draw(ports["reflect"], film[0], film[number + 1], 5.0),
        "port, zero padding": lambda number: draw(ports["zeros"], film[0], film[number + 1], 5.0),
        **{name: frame(name) for name in ours},
        "large convolution": convolution,
    }
    seconds = interleaved(works, rounds)
    done = {"large convolution": macs}
    for name in ("plain port", *ours):
        with Arithmetic() as counted:
            works[name](rounds + 1)
        done[name] = counted.macs

    table = Table(
        f"CPU, {size}x{size}, {given.threads} thread", "CPU ms a frame", "GMAC a frame",
        "share of attainable", "times faster than the port", "than the port with zero padding",
    )  # fmt: skip
    shares = {}
    for name, values in seconds.items():
        cells = ["", ""]
        if name in done and name != "large convolution":
            shares[name] = statistics.median(
                done[name] / t / (macs / c)
                for t, c in zip(values, seconds["large convolution"], strict=True)
            )
            cells = [f"{done[name] / 1e9:.1f}", f"{shares[name]:.0%}"]
        faster = ["", ""]
        if name in ours:
            ports_seconds = (seconds["plain port"], seconds["port, zero padding"])
            faster = [f"{ratio(port, values):.2f}" for port in ports_seconds]
        table.add(name, f"{1e3 * statistics.median(values):.0f}", *cells, *faster)
    against_port = ratio(seconds["plain port"], seconds["oh2018"])
    against_ours = ratio(seconds["oh2018"], seconds["difference"])
    if "difference, no kernels" in seconds:
        gains = [ratio(seconds[f"{name}, no kernels"], seconds[name]) for name in NETWORKS]
        table.note("Kernels: oh2018 {:.2f}, difference {:.2f} times as fast.".format(*gains))
    attained = macs / statistics.median(seconds["large convolution"]) / 1e9
    table.note(f"The large convolution ran at {attained:.0f} GMAC/s.")
    table.note(
        f"oh2018 against the plain port: {against_port:.2f} times "
        f"(asked {TARGETS['oh2018']:g}: {passed(against_port >= TARGETS['oh2018'])})."
    )
    table.note(
        f"difference against our own oh2018: {against_ours:.2f} times "
        f"(asked {TARGETS['difference']:g}: {passed(against_ours >= TARGETS['difference'])})."
    )
    for name in NETWORKS:
        table.note(
            f"{name}, share of attainable arithmetic: {shares[name]:.0%} "
            f"(asked {TARGETS['share']:.0%}: {passed(shares[name] >= TARGETS['share'])})."
        )
    if not given.quick:
        per_hd = full_hd()
        table.note(
            f"difference, one grey frame of 1920x1080: {per_hd:.1f} GMAC "
            f"(asked at most {TARGETS['gmac']:g}: {passed(per_hd <= TARGETS['gmac'])})."
        )
    table.save(given.json)


def full_hd() -> float:
    """GMAC of a frame of 1920x1080, with its border and tiles, as it runs."""
    film = movie(2, 1920)[:, :1080]
    drawn = magnify(film, 5, model="difference", device="cpu", precision="float32")
    with Arithmetic() as counted:
        drawn[1].compute(scheduler="synchronous")
    return counted.macs / 1e9


if __name__ == "__main__":
    main()
