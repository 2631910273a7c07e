"""Score methods side by side, as a table and a figure."""

import json
import warnings

import numpy as np

from napari_motionmag.compute.validate import whole_number
from napari_motionmag.evaluation import protocols
from napari_motionmag.evaluation.measures import MEASURES
from napari_motionmag.methods.base import METHODS

SCORES = ("ssim", "closed", "rmse", "psnr")
_SHORT_SCALE = 30  # ratio of levels of a curve
NO_GAP = 0.999  # SSIM of the input above which there is nothing to close
# name of a fault -> how it is measured, and summarized over the scenes
FAULTS = {
    "still": (lambda m, seed: float(protocols.still_change(m, 1000.0, seed).max()), max),
    "colour": (protocols.spurious_colour, max),
    "redraw": (
        lambda m, seed: protocols.still_change(m, 2.0, seed).mean(),
        lambda values: float(np.mean(values)),
    ),
    "lamp": (protocols.lamp, lambda values: np.mean(values, axis=0).tolist()),
}
GAINS = ((0.1, 0.02), (0.5, 0.05), (0.5, 0.1), (2.0, 0.1), (5.0, 0.1))  # m x delta, delta


def make_method(text: str, device: str | None = None):
    """Make the method of ``"phase"``, ``"learned"``, ``"learned:oh2018"`` or ``"learned:FILE"``."""
    name, _, model = text.partition(":")
    if name not in METHODS:
        raise ValueError(f"methods must be of {sorted(METHODS)}, optionally ':MODEL', got {text!r}")
    return METHODS[name](model or "default", device, None, None, {})


def evaluate(names, *, seeds=3, quick=True, device=None, only=None, report=None) -> dict:
    """Score methods (see `make_method`) in some scenes a level, by all or `only` some protocols.

    `report` is called with a line of text after each level. The result has ``protocols``: by
    protocol, level and method, mean and standard deviation of SSIM, of the share of the gap closed,
    (SSIM - floor) / (1 - floor), floor = SSIM(input, truth) (None where the floor is 1), of the rms
    error (of white) and of PSNR in dB; ``gain`` and each of `FAULTS` by method; and ``measures``:
    by measure and method, means of its numbers by name.
    """
    known = [*(protocol.name for protocol in protocols.PROTOCOLS), "gain", *MEASURES]
    if unknown := sorted(set(only or ()) - set(known)):
        raise ValueError(f"only must be of {', '.join(known)}, got {', '.join(unknown)}")
    seeds = whole_number("seeds", seeds, 1)
    methods = {name: make_method(name, device) for name in names}
    with warnings.catch_warnings():  # that levels are beyond a method's bounds is the point
        warnings.simplefilter("ignore", UserWarning)
        return scores(methods, seeds, quick, only, report)


def scores(methods: dict, seeds: int, quick: bool, only=None, report=None) -> dict:
    """Score methods by their names; see :func:`evaluate`."""
    report = report or (lambda line: None)
    result: dict = {"methods": list(methods), "seeds": seeds, "protocols": {}, "measures": {}}
    by_name = {protocol.name: protocol for protocol in protocols.PROTOCOLS}
    for name, chosen in levels(quick, only).items():
        rows = result["protocols"][name] = []
        for level in chosen:
            rows.append(_level(by_name[name], level, methods, seeds))
            report(_line(name, rows[-1]))
    if only is None or "gain" in only:
        result["gain"] = _gains(methods, seeds)
        for key, (measure, summary) in FAULTS.items():
            result[key] = {
                k: summary([measure(m, s) for s in range(seeds)]) for k, m in methods.items()
            }
        report("\n".join(_gain_lines(result)))
    for name, measure in MEASURES.items():
        if only is None or name in only:
            found = {k: _mean([measure(m, s) for s in range(seeds)]) for k, m in methods.items()}
            result["measures"][name] = found
            report("\n".join(_measure_lines(name, found)))
    return result


def levels(quick: bool, only=None) -> dict[str, list]:
    """Return the levels of all protocols, or of `only` some, by their names."""
    return {
        protocol.name: list(protocol.quick if quick else protocol.levels)
        for protocol in protocols.PROTOCOLS
        if not only or protocol.name in only
    }


def _mean(numbers: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in numbers])) for name in numbers[0]}


def _level(protocol, level, methods, seeds) -> dict:
    floors, ssim, errors = [], {name: [] for name in methods}, {name: [] for name in methods}
    for seed in range(seeds):
        case = protocol.make(level, seed)
        floors.append(protocols.similarity(case.frames[case.time], case.truth))
        for name, method in methods.items():
            drawn = method.magnify(case.frames, case.operator, [case.time], case.factor)[0]
            ssim[name].append(protocols.similarity(drawn, case.truth))
            errors[name].append(protocols.rms_error(drawn, case.truth))
    floor = np.array(floors)
    row = {"level": level, "floor": float(floor.mean()), **{key: {} for key in SCORES}}
    gap = row["floor"] < NO_GAP  # where the input is the truth there is none
    for name in methods:
        closed = (np.array(ssim[name]) - floor) / (1 - floor).clip(min=1e-6)
        row["ssim"][name] = _spread(ssim[name])
        row["closed"][name] = _spread(closed) if gap else None
        row["rmse"][name] = _spread(errors[name])
        row["psnr"][name] = _spread(-20 * np.log10(np.maximum(errors[name], 1e-5)))
    return row


def _spread(values) -> list[float]:
    """Return mean and standard deviation."""
    return [float(np.mean(values)), float(np.std(values))]


def _gains(methods, seeds) -> dict:
    out = {}
    for name, method in methods.items():
        out[name] = {}
        for moved, delta in GAINS:
            values = [protocols.gain(method, moved / delta, delta, s) for s in range(seeds)]
            out[name][f"{moved:g} px from {delta:g}"] = _spread(values)
    return out


def _line(name: str, row: dict) -> str:
    level = "x".join(f"{v:g}" for v in np.atleast_1d(row["level"]))
    closed = "  ".join(
        f"{k} (SSIM {row['ssim'][k][0]:.3f})" if v is None else f"{k} {v[0]:.2f} ±{v[1]:.2f}"
        for k, v in row["closed"].items()
    )
    return f"{name:14s}{level:>9s}  floor {row['floor']:.3f}  {closed}"


def check_scenes(before: dict, seeds: int, chosen: dict[str, list]) -> None:
    """Refuse earlier scores of other scenes than those of the chosen levels of each protocol."""
    expected = "beside must hold scores of the same protocols, levels and seeds"
    if before["seeds"] != seeds:
        raise ValueError(
            f"{expected}; it has {before['seeds']} scenes a level, now there are {seeds}"
        )
    for name in [name for name in chosen if name in before["protocols"]]:
        theirs = [row["level"] for row in before["protocols"][name]]
        # JSON has lists for tuples
        if json.dumps(theirs) != json.dumps(chosen[name]):
            raise ValueError(
                f"{expected}; of {name} it has the levels {theirs}, now there are {chosen[name]}"
            )


def merged(before: dict, result: dict) -> dict:
    """Put scores of earlier methods beside new ones of the same scenes (see `check_scenes`).

    The new ones count where both have a method. What `before` lacks is of the new methods alone.
    """
    methods = list(dict.fromkeys([*before["methods"], *result["methods"]]))
    out = {**result, "methods": methods, "protocols": {}}
    for name, rows in result["protocols"].items():
        out["protocols"][name] = [
            {**row, **{key: {**old.get(key, {}), **row[key]} for key in SCORES}}
            for old, row in zip(before["protocols"].get(name, [{}] * len(rows)), rows, strict=True)
        ]
    out["measures"] = {
        name: {**before.get("measures", {}).get(name, {}), **found}
        for name, found in result["measures"].items()
    }
    for key in ("gain", *FAULTS):
        if key in result:
            out[key] = {**before.get(key, {}), **result[key]}
    return out


def table(result: dict) -> str:
    """Write the scores as text: share of the gap closed, mean and spread."""
    lines = ["share of the gap closed: (SSIM - floor) / (1 - floor)"]
    for name, rows in result["protocols"].items():
        lines += [_line(name, row) for row in rows]
    lines += _gain_lines(result)
    for measure, found in result.get("measures", {}).items():
        lines += _measure_lines(measure, found)
    return "\n".join(lines)


def _gain_lines(result: dict) -> list[str]:
    """Return lines about gain and faults, where they are measured."""
    lines = []
    for name, gains in result.get("gain", {}).items():
        values = "  ".join(f"{k}: {v[0]:.2f} ±{v[1]:.2f}" for k, v in gains.items())
        lines.append(f"gain          {name}  {values}")
    for name in result["methods"] if "still" in result else ():
        lines.append(
            f"still x1000   {name}  {result['still'][name]:.2f}/255   spurious colour "
            f"{result['colour'][name]:.2f}/255"
        )
    for name in result.get("lamp", ()):
        motion, light = result["lamp"][name]
        lines.append(
            f"lamp 1 % x8    {name}  motion {motion:.3f} px, light {light:.2f}/255   "
            f"still scene redrawn {result['redraw'][name]:.2f}/255"
        )
    return lines


def _measure_lines(measure: str, found: dict) -> list[str]:
    """Return a line about each method."""
    lines = []
    for name, numbers in found.items():
        values = "  ".join(f"{k}: {v:.2f}" for k, v in numbers.items())
        lines.append(f"{measure:14s}{name}  {values}")
    return lines


def psnr_table(result: dict) -> str:
    """Format PSNR in dB and rms error in gray levels (1/255) as text."""
    lines = ["PSNR [dB] / rms error [1/255]"]
    for name, rows in result["protocols"].items():
        for row in rows:
            level = "x".join(f"{v:g}" for v in np.atleast_1d(row["level"]))
            values = "  ".join(
                f"{k} {row['psnr'][k][0]:.1f} / {255 * v[0]:.1f}" for k, v in row["rmse"].items()
            )
            lines.append(f"{name:14s}{level:>9s}  {values}")
    return "\n".join(lines)


def curves(result: dict):
    """Draw a figure like the paper's Figs. 8 and A.5: SSIM against level, with spread."""
    from matplotlib.figure import Figure

    shown = [p for p in protocols.PROTOCOLS if p.name in result["protocols"]]
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    canvas = Figure(figsize=(4.2 * columns, 3.4 * rows), layout="constrained")
    for k, protocol in enumerate(shown):
        axes = canvas.add_subplot(rows, columns, k + 1)
        data = result["protocols"][protocol.name]
        categories = isinstance(data[0]["level"], (tuple, list))
        x = range(len(data)) if categories else [row["level"] for row in data]
        axes.plot(x, [row["floor"] for row in data], "k--", label="input")
        for number, name in enumerate(result["methods"]):
            if name not in data[0]["ssim"]:
                continue
            mean, spread = np.array([row["ssim"][name] for row in data]).T
            style = {"color": f"C{number}", "capsize": 2, "marker": "o", "markersize": 3}
            axes.errorbar(x, mean, spread, label=name, **style)
        if categories:
            axes.set_xticks(list(x), [f"{a:g} x {b:g}" for a, b in (r["level"] for r in data)])
        else:
            axes.set_xscale("log")
            if max(x) < _SHORT_SCALE * min(x):  # powers of ten are too few there
                axes.set_xticks(x, [f"{level:g}" for level in x])
                axes.minorticks_off()
        axes.set(xlabel=protocol.xlabel, ylabel="SSIM")
        axes.set_title(protocol.title, fontsize=10)
        axes.grid(alpha=0.3)
    handles = {}  # not all methods are in all curves
    for axes in canvas.axes:
        found, labels = axes.get_legend_handles_labels()
        handles |= zip(labels, found, strict=True)
    order = [name for name in ("input", *result["methods"]) if name in handles]
    canvas.legend(
        [handles[name] for name in order],
        order,
        loc="outside upper center",
        ncols=min(len(order), columns),  # names of files are long
        fontsize=10,
    )
    return canvas
