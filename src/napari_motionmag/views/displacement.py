"""How far a region moves: sub-pixel displacement against a reference, with error bars."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np

from napari_motionmag.movie import Movie
from napari_motionmag.temporal import Static
from napari_motionmag.views._kernel import KERNELS, BandKernel, Sampler
from napari_motionmag.views._registration import Registered, Template, register, search
from napari_motionmag.views._source import Series, as_movie, checked_region, pixel_size
from napari_motionmag.views.noise_model import NoiseModel, fit_variance, freedom_of
from napari_motionmag.views.trace import DisplacementTrace

_KEPT_BYTES = 1 << 28  # the region of all frames is kept in memory up to this
_SAMPLED = 64  # frames averaged to choose the kernel
_PAIRS = 64  # of consecutive frames from which the noise is estimated
_SUSPICIOUS = 2.0  # a residual so many times the usual one: look again everywhere
_MISFIT = 1.5  # median misfit above which the model of a rigid shift is doubted


def displacement_trace(
    movie,
    region=None,
    reference="mean",
    *,
    axes: str | None = None,
    fps: float | None = None,
    at=None,
    reach: float | None = None,
    brightness: bool = False,
    noise: NoiseModel | float | None = None,
) -> DisplacementTrace:
    """Measure how a region moves, in fractions of a pixel.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    region : (slice, slice), (y0, y1, x0, x1) or boolean mask (Y, X), optional
        The region in the reference. Where it comes within 8 px + `reach` of the border of the
        frame, it is cut back by up to that; None takes all of the frame that is left.
    reference : "mean", int, slice or list of int
        What the displacement is measured against. "mean" and several frames: the mean of these
        frames after they were aligned; displacement 0 is then their mean displacement.
    axes : str, optional
    fps : float, optional
    at : mapping or sequence of int, optional
        Index along axes such as Z and C.
    reach : float, optional
        Largest displacement along y and x to look for, px. By default 10, or an eighth of the
        smaller side of the frame if that is less.
    brightness : bool
        Allow each frame a gain and an offset in brightness (bleaching, flicker). A region that is
        one even slope then tells no displacement.
    noise : NoiseModel or float, optional
        Noise of the pixels: a model, or one standard deviation in grey levels. Estimated from
        consecutive frames after alignment when None.

    Returns
    -------
    DisplacementTrace

    Raises
    ------
    ValueError
        If an argument does not fit, the region is too small once cut back, or it has no structure.

    Warns
    -----
    UserWarning
        If the region has structure along one direction only; if a frame lies at the limit of
        `reach`; if the residuals are larger than noise.

    Notes
    -----
    Least squares over the region, weighted by the variance of the noise, by Gauss-Newton steps.
    Frame and reference are low-passed and resampled by one band-limited kernel, which leaves no
    preference for whole or half pixels. Of four kernels the one with the smallest predicted error
    is taken. The error bars are those of least squares, ``H^-1 (sum of squares of the noise in the
    score) H^-1``: never below the bound ``sigma^2 [sum grad grad^T]^-1`` of one frame, to which
    the noise of the reference adds ``1 / N`` of it for N frames.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, about = samples.load("strings", n_frames=60)
    >>> trace = views.displacement_trace(movie, (20, 44, 20, 76), reference=0, fps=about["fps"])
    """
    movie = as_movie(movie, axes, fps)
    tracker = _Tracker(movie, region, reference, at, reach, brightness)
    return tracker.trace(_checked_noise(noise, movie))


class _Tracker:
    """The frames of one measurement and the passes over them."""

    def __init__(self, movie: Movie, region, reference, at, reach, brightness):
        self.movie = movie
        self.brightness = bool(brightness)
        window, mask = checked_region(movie, region)
        height, width = movie.frame_shape[:2]
        self.reach = _checked_reach(reach, min(height, width))
        self.operator, self.own = _reference_frames(reference, movie.n_frames)
        self.window, self.mask = _cut_back(window, mask, (height, width), self.reach)
        margin = BandKernel.half + math.ceil(self.reach)
        outer = tuple(
            slice(max(0, part.start - margin), min(size, part.stop + margin))
            for part, size in zip(self.window, (height, width), strict=True)
        )
        self.series = Series(movie, at, outer)
        self.sampler = Sampler(
            *(
                slice(part.start - out.start, part.stop - out.start)
                for part, out in zip(self.window, outer, strict=True)
            )
        )
        self._kept: dict[int, np.ndarray] = {}

    def pictures(self, chosen=None) -> Iterator[tuple[int, np.ndarray]]:
        """Frames cut to the surroundings of the region; read once if they are not too many."""
        n = self.movie.n_frames
        chosen = range(n) if chosen is None else chosen
        self._keep()
        if self._kept:
            yield from ((t, self._kept[t]) for t in chosen)
        elif len(chosen) == n:
            yield from self.series.frames()
        else:
            yield from ((t, self.series.luma(t)) for t in chosen)

    def picture(self, t: int) -> np.ndarray:
        """One of them."""
        self._keep()
        return self._kept[t] if t in self._kept else self.series.luma(t)

    def _keep(self) -> None:
        size = self.movie.n_frames * int(np.prod(self.series.shape)) * 8
        if not self._kept and size <= _KEPT_BYTES:
            self._kept = dict(self.series.frames())

    # ---- the passes ----------------------------------------------------------------------------

    def trace(self, noise: NoiseModel | None) -> DisplacementTrace:
        movie, n = self.movie, self.movie.n_frames
        first = self.picture(int(self.own[len(self.own) // 2]))
        template = self._template(
            self.sampler.value(first, (0, 0), KERNELS[0]),
            self.sampler.gradient(first, (0, 0), KERNELS[0]),
            KERNELS[0],
            None,
            1,
        )
        if not len(template.axes):
            raise ValueError(
                "region has no structure: its pixels are all alike, so no displacement can be told"
            )
        shifts = self._centred(self._pass(template, np.zeros((n, 2)), guess=False)[0])
        kernel, noise = self._best_kernel(shifts, noise)
        rounds = 2 if len(self.own) > 1 and shifts[self.own].std(axis=0).max() > 0.3 else 1
        for _ in range(rounds):
            template = self._aligned(shifts, kernel, noise)
            self._refuse_structureless(template)
            shifts, results = self._pass(template, shifts, guess=True)
            shifts = self._centred(shifts)
        covariance, frame_covariance, misfit = results
        self._warn(template, shifts, misfit)
        size = pixel_size(movie)
        return DisplacementTrace(
            times=np.arange(n) / (movie.fps or 1.0),
            time_unit="s" if movie.fps else "frame",
            dy=shifts[:, 0],
            dx=shifts[:, 1],
            covariance=covariance,
            frame_covariance=frame_covariance,
            misfit=misfit,
            noise=noise,
            region=self.window,
            reference=self.operator.describe().removeprefix("static, reference "),
            fps=movie.fps,
            pixel_size=None if size is None else size[:2],
            length_unit=None if size is None else size[2],
            cutoff=kernel.cutoff,
        )

    def _centred(self, shifts: np.ndarray) -> np.ndarray:
        """Displacements from the mean of those of the reference frames."""
        return shifts - shifts[self.own].mean(axis=0)

    def _template(self, value, gradient, kernel, noise, copies) -> Template:
        return Template(value, gradient, self.mask, kernel, noise, copies, self.brightness)

    def _aligned(self, shifts, kernel, noise, most: int | None = None) -> Template:
        """The mean of the reference frames, each moved back by what it was displaced."""
        chosen = self.own
        if most is not None and len(chosen) > most:
            chosen = chosen[np.linspace(0, len(chosen) - 1, most).round().astype(int)]
        value, gradient = 0.0, 0.0
        for t, picture in self.pictures(chosen):
            value = value + self.sampler.value(picture, shifts[t], kernel)
            gradient = gradient + self.sampler.gradient(picture, shifts[t], kernel)
        count = len(chosen)
        return self._template(value / count, gradient / count, kernel, noise, count)

    def _best_kernel(
        self, shifts: np.ndarray, noise: NoiseModel | None
    ) -> tuple[BandKernel, NoiseModel]:
        """The kernel with the least predicted error, and the noise that it sees."""
        n = self.movie.n_frames
        pairs = np.unique(np.linspace(0, n - 2, min(n - 1, _PAIRS)).round().astype(int))
        seen = np.unique([pairs, pairs + 1])
        floor = 1 / 12 if self.movie.dtype.kind in "iu" else 0.0
        best = None
        for kernel in KERNELS:
            template = self._aligned(shifts, kernel, noise, _SAMPLED)
            differences = _Differences(template)
            for t, picture in self.pictures(seen):
                residual = self.sampler.value(picture, shifts[t], kernel) - template.value
                differences.add(t, template.without_brightness(residual))
            found = differences.noise(floor)
            template = template.with_noise(found)
            variance = _around(found.variance(template.value))
            error = template.frame_covariance(variance)
            if len(self.own) < n:
                error = error + template.reference_covariance(variance)
            # a kernel that blurs a direction away loses it
            score = (2 - len(template.axes), float(np.trace(error)))
            if best is None or score < best[0]:
                best = score, kernel, found if noise is None else noise
        return best[1:]

    def _pass(self, template: Template, starts: np.ndarray, guess: bool):
        """Register all frames. Also what noise does to them, where its model is known."""
        n = self.movie.n_frames
        shifts = np.zeros((n, 2))
        covariance, own_part = np.zeros((2, n, 2, 2))
        misfit = np.ones(n)
        usual: list[float] = []
        own = set(self.own.tolist())
        # the frame that is the reference is not displaced by definition
        still = self.own[0] if len(own) == 1 else None
        before = np.zeros(2)
        for t, picture in self.pictures():
            found = self._find(picture, template, starts[t] if guess else before, t in own, usual)
            if t == still and guess:
                found.shift[:] = 0.0
            shifts[t] = before = found.shift
            if template.noise is not None:
                parts = self._errors(picture, template, found, t in own)
                covariance[t], own_part[t], misfit[t] = parts
        return shifts, (covariance, own_part, misfit)

    def _find(self, picture, template, start, own: bool, usual: list[float]) -> Registered:
        """Register a frame from where it is expected; look everywhere if that fails."""
        arguments = (picture, template, self.sampler)
        found = register(*arguments, start, self.reach, own)
        cost = _cost(template, found)
        limit = _SUSPICIOUS * float(np.median(usual[-50:])) if usual else 0.0
        if self.reach >= 1 and (not found.converged or cost > limit):
            start = search(picture, template, self.sampler, int(self.reach))
            other = register(*arguments, start, self.reach, own)
            if _cost(template, other) < cost:
                found, cost = other, _cost(template, other)
        usual.append(cost)
        return found

    def _errors(self, picture, template: Template, found: Registered, own: bool):
        """Covariance of a displacement, its part from the frame alone, and the misfit."""
        model = template.noise
        shift = tuple(np.rint(found.shift).astype(int))
        seen = model.variance(self.sampler.cut(picture, shift, BandKernel.half))
        frame = template.frame_covariance(seen)
        if own:
            total = frame * (1 - 1 / template.copies)
        else:
            # at the reference there is the same picture, so about the same noise
            total = frame + template.reference_covariance(seen)
        shares = 1 + (-1 if own else 1) / template.copies
        expected = model.variance(template.value) * template.kernel.power**2 * shares
        weight = template.weight
        misfit = 1.0
        if shares > 0:
            misfit = float((weight * found.residual**2).sum() / (weight * expected).sum())
        if len(template.axes) < 2:
            lost = np.eye(2) - template.axes.T @ template.axes
            total = total + lost * self.reach**2
        return total, frame, misfit

    def _refuse_structureless(self, template: Template) -> None:
        if not len(template.axes):
            raise ValueError(
                "region has too little structure for its noise: no displacement below half a "
                "pixel could be told; choose a larger region or one with edges or spots"
            )

    def _warn(self, template: Template, shifts: np.ndarray, misfit: np.ndarray) -> None:
        if len(template.axes) == 1:
            y, x = template.axes[0]
            angle = math.degrees(math.atan2(y, x)) % 180
            warnings.warn(
                f"region has structure along one direction only ({angle:.0f} degrees from x "
                "towards y): displacement across it is not measured and given as 0 +- reach",
                stacklevel=4,
            )
        at_limit = np.flatnonzero(np.abs(shifts).max(axis=1) >= self.reach - 1e-6)
        if len(at_limit):
            warnings.warn(
                f"{len(at_limit)} frames (the first: {at_limit[0]}) lie at the limit "
                f"reach={self.reach:g} px; a larger reach may find them",
                stacklevel=4,
            )
        typical = float(np.median(misfit))
        if typical > _MISFIT:
            warnings.warn(
                f"residuals are {typical:.2g} times what noise explains: the region does more than "
                "shift as a whole (or try brightness=True); the error bars are of noise alone",
                stacklevel=4,
            )


class _Differences:
    """Collects squared differences between the residuals of consecutive frames."""

    def __init__(self, template: Template):
        self.template = template
        self.last = (-2, None)
        self.squares = np.zeros_like(template.value)
        self.starts: list[int] = []

    def add(self, t: int, residual: np.ndarray) -> None:
        before, other = self.last
        if before == t - 1:
            self.squares += (residual - other) ** 2
            self.starts.append(before)
        self.last = t, residual

    def noise(self, floor: float) -> NoiseModel:
        """Noise of the pixels, the kernel's smoothing and the fitted shifts allowed for."""
        mask, power = self.template.mask, self.template.kernel.power
        freedom = mask.sum() * power**2
        variance = self.squares[mask] / (2 * len(self.starts) * power**2)
        variance *= freedom / max(freedom - 2, 1)
        return fit_variance(
            self.template.value[mask], variance, freedom_of(self.starts), None, floor
        )


def _cost(template: Template, found: Registered) -> float:
    return float((template.weight * found.residual**2).sum())


def _around(variance: np.ndarray) -> np.ndarray:
    """A map over the region extended to the pixels that are used around it."""
    return np.pad(variance, BandKernel.half, mode="edge")


def _checked_noise(noise, movie: Movie) -> NoiseModel | None:
    if noise is None or isinstance(noise, NoiseModel):
        return noise
    sigma = float(noise)
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(
            f"noise must be a NoiseModel or a standard deviation above 0; got {noise!r}"
        )
    return NoiseModel(sigma**2)


def _checked_reach(reach, side: int) -> float:
    if reach is None:
        return float(max(1, min(10, side // 8)))
    reach = float(reach)
    if not (math.isfinite(reach) and reach > 0):
        raise ValueError(f"reach must be a finite number above 0 px; got {reach!r}")
    return reach


def _reference_frames(reference, n: int) -> tuple[Static, np.ndarray]:
    if isinstance(reference, str):
        if reference != "mean":
            raise ValueError(
                "reference must be 'mean', a frame number, a slice or a list of frame numbers; "
                f"got {reference!r}"
            )
        reference = slice(None)
    operator = Static(reference)
    return operator, np.unique(operator.frames(n))


def _cut_back(window, mask, shape, reach: float):
    """Keep the region away from the border of the frame, so that it stays inside when it moves."""
    border = BandKernel.half + math.ceil(reach)
    limits = [(min(border, size // 4), size - min(border, size // 4)) for size in shape]
    kept = tuple(
        slice(max(part.start, first), min(part.stop, last))
        for part, (first, last) in zip(window, limits, strict=True)
    )
    if any(part.stop - part.start < 3 for part in kept):
        raise ValueError(
            f"region {[(p.start, p.stop) for p in window]} lies within {border} px of the border "
            f"of the frame of {shape[0]} x {shape[1]} px; choose one further inside, or a smaller "
            f"reach than {reach:g} px"
        )
    inner = tuple(
        slice(new.start - old.start, new.stop - old.start)
        for new, old in zip(kept, window, strict=True)
    )
    if not mask[inner].any():
        raise ValueError(f"region: the mask lies within {border} px of the border of the frame")
    return kept, mask[inner]
