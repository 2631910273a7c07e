"""The passes over a movie that find how a region moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation

from napari_motionmag.compute.validate import rounded, warn_user
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.estimators.band_kernel import KERNELS, BandKernel, Sampler
from napari_motionmag.views.estimators.noise_color import ResidualNoise
from napari_motionmag.views.estimators.noise_model import NoiseModel, rounding
from napari_motionmag.views.estimators.registration import Registered, Template, register, search
from napari_motionmag.views.estimators.series import Counter, Series

_KEPT_BYTES = 1 << 28  # the region of all frames is kept in memory up to this
_SAMPLED = 64  # frames averaged to choose the kernel
_PAIRS = 64  # of consecutive frames from which the noise is estimated
_SUSPICIOUS = 2.0  # residual over the usual one from which a frame is searched for everywhere
_LIT = 4.0  # standard errors from which a change in brightness is believed
_MISFIT = 1.5  # median misfit above which the model of a rigid shift is doubted
_STRANGE = 10.0  # residual over the usual one from which a frame shows something else
_LEAST_STRANGE = 1e-4  # of the contrast: what is less does not move anything
_OUTLIER = 4.0  # robust standard deviations from which a pixel shows something else
_ROUNDS = 6  # of leaving them out
_FEWEST_KEPT = 0.3  # of the region's pixels


class Track(NamedTuple):
    """Displacement (T, 2) and covariances (T, 2, 2) in px; see `DisplacementTrace`."""

    shifts: np.ndarray
    covariance: np.ndarray
    frame_covariance: np.ndarray
    misfit: np.ndarray
    noise: NoiseModel
    cutoff: float
    color: tuple[float, float]


class Tracker:
    """One region of a movie, measured against the mean of the frames `own`."""

    def __init__(
        self,
        movie: Movie,
        at,
        window: tuple[slice, slice],
        mask: np.ndarray,
        own: np.ndarray,
        reach: float,
        brightness: bool,
        progress: Callable[[int, int], object] | None = None,
    ):
        self.movie, self.mask, self.own = movie, mask, own
        self.averaged = own  # of these, those that show the region
        self.reach, self.brightness = reach, brightness
        self.count = Counter(progress, 3 * movie.n_frames)
        margin = BandKernel.half + math.ceil(self.reach)
        outer, inner = [], []
        for part, size in zip(window, movie.frame_shape[:2], strict=True):
            first, last = max(0, part.start - margin), min(size, part.stop + margin)
            outer.append(slice(first, last))
            inner.append(slice(part.start - first, part.stop - first))
        self.series = Series(movie, at, tuple(outer))
        self.sampler = Sampler(*inner)
        self.color = np.ones(2)
        self._kept: dict[int, np.ndarray] = {}

    def pictures(self, chosen=None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield frames around the region; read once if they are not too many."""
        n = self.movie.n_frames
        chosen = range(n) if chosen is None else chosen
        self._keep()
        if self._kept:
            yield from ((t, self._kept[t]) for t in chosen)
        elif len(chosen) == n:
            yield from self.series.frames()
        else:
            yield from ((t, self.series.luma(t)) for t in chosen)

    def _keep(self) -> None:
        size = self.movie.n_frames * int(np.prod(self.series.shape)) * 8
        if self._kept or size > _KEPT_BYTES:
            return
        for t, picture in self.series.frames():
            self._kept[t] = picture
            self.count.step()

    def track(self, noise: NoiseModel | None) -> Track:
        """Find the displacement of all frames: coarsely, then with the best kernel."""
        n = self.movie.n_frames
        template = self._aligned(np.zeros((n, 2)), KERNELS[0], None, self._plainest())
        if not len(template.axes):
            raise ValueError(
                "region has no structure: all pixels are equal, so no displacement can be measured"
            )
        shifts = self._centered(self._pass(template, np.zeros((n, 2)), guess=False)[0])
        kernel, noise, self.color = self._best_kernel(shifts, noise)
        rounds = 2 if len(self.own) > 1 and shifts[self.own].std(axis=0).max() > 0.3 else 1
        self.count.total += (rounds - 1 - (not self._kept)) * n
        for _ in range(rounds):
            template = self._aligned(shifts, kernel, noise, self.averaged)
            if not len(template.axes):
                raise ValueError(
                    "region has too little structure for its noise: no displacement below half a "
                    "pixel can be measured; choose a larger region or one with edges or spots"
                )
            shifts, results, gains = self._pass(template, shifts, guess=True)
            shifts = self._centered(shifts)
        self._warn(template, shifts, results[2], gains)
        return Track(shifts, *results, noise, kernel.cutoff, tuple(self.color.tolist()))

    def _plainest(self) -> np.ndarray:
        """Return the middle frame of the reference, or one beside it that has no such extremes."""
        at = len(self.own) // 2
        chosen = self.own[[at, *range(max(at - 1, 0), min(at + 2, len(self.own)))]]
        extent = np.array([np.ptp(picture) for _, picture in self.pictures(chosen.tolist())])
        return chosen[[0 if extent[0] < 2 * extent.min() else int(np.argmin(extent))]]

    def _centered(self, shifts: np.ndarray) -> np.ndarray:
        """Return displacements from the mean of those of the reference frames."""
        return shifts - shifts[self.own].mean(axis=0)

    def _aligned(self, shifts, kernel, noise, chosen: np.ndarray) -> Template:
        """Return the mean of reference frames, each moved back by its displacement."""
        value, gradient = 0.0, 0.0
        for t, picture in self.pictures(chosen.tolist()):
            value = value + self.sampler.value(picture, shifts[t], kernel)
            gradient = gradient + self.sampler.gradient(picture, shifts[t], kernel)
        n = len(chosen)
        return Template(value / n, gradient / n, self.mask, kernel, noise, n, self.brightness)

    def _best_kernel(
        self, shifts: np.ndarray, noise: NoiseModel | None
    ) -> tuple[BandKernel, NoiseModel, np.ndarray]:
        """Return the kernel with the least predicted error, the noise and its color."""
        n = self.movie.n_frames
        pairs = np.unique(np.linspace(0, n - 2, min(n - 1, _PAIRS)).round().astype(int))
        seen = np.unique([pairs, pairs + 1])
        dtype = self.movie.dtype
        if dtype.kind == "f" and dtype.itemsize > 4:  # the low-pass rounds more than that
            dtype = np.dtype(np.float32)
        few = self.averaged
        if len(few) > _SAMPLED:
            few = few[np.linspace(0, len(few) - 1, _SAMPLED).round().astype(int)]
        best = None
        for kernel in KERNELS:
            template = self._aligned(shifts, kernel, noise, few)
            measured = ResidualNoise(template)
            for t, picture in self.pictures(seen):
                residual = self.sampler.value(picture, shifts[t], kernel) - template.value
                measured.add(t, template.without_brightness(residual))
            model = measured.model(rounding(dtype, [template.value]))
            color = measured.color()
            template = template.changed(noise=model)
            variance = np.pad(model.variance(template.value), BandKernel.half, mode="edge")
            error = template.frame_covariance(variance)
            if len(self.averaged) < n:
                error = error + template.reference_covariance(variance)
            # a kernel that blurs a direction away loses it
            score = (2 - len(template.axes), float(np.diag(error) @ color))
            if best is None or score < best[0]:
                best = score, kernel, model if noise is None else noise, color
        return best[1:]

    def _pass(self, template: Template, starts: np.ndarray, guess: bool):
        """Register all frames; with a noise model in the template, also find their errors."""
        n = self.movie.n_frames
        shifts = np.zeros((n, 2))
        covariance, own_part = np.zeros((2, n, 2, 2))
        misfit, gains, costs = np.ones(n), np.zeros(n), np.zeros(n)
        own = set(self.averaged.tolist())
        # the frame that is the reference is not displaced by definition
        still = self.own[0] if len(self.own) == 1 else None
        before = np.zeros(2)

        def keep(t, picture, template, match) -> None:
            if t == still and guess:
                match.shift[:] = 0.0
            shifts[t] = match.shift
            if template.noise is not None:
                parts = self._errors(picture, template, match, t in own)
                covariance[t], own_part[t], misfit[t] = parts
                gains[t] = template.gain(match.residual)

        for t, picture in self.pictures():
            start = starts[t] if guess else before
            match = self._find(picture, template, start, t in own, costs[:t])
            costs[t], before = _cost(template, match), match.shift
            keep(t, picture, template, match)
            self.count.step()
        strange = costs > _STRANGE * max(np.median(costs), _LEAST_STRANGE * template.energy)
        if not strange[self.own].all():
            self.averaged = self.own[~strange[self.own]]
        usual = np.flatnonzero(~strange)
        for t, picture in self.pictures(np.flatnonzero(strange).tolist()):
            near = shifts[usual[np.abs(usual - t).argmin()]]
            found = self._without_outliers(picture, template, near, t in own)
            if found is not None:
                keep(t, picture, *found)
        return shifts, (covariance, own_part, misfit), gains

    def _without_outliers(
        self, picture, template: Template, shift, own: bool
    ) -> tuple[Template, Registered] | None:
        """Register what of a frame shows the region; None where little does."""
        whole = template
        for _ in range(_ROUNDS):
            residual = self.sampler.value(picture, shift, whole.kernel) - whole.value
            off = np.abs(residual) * np.sqrt(whole.weight)
            strange = off > _OUTLIER * 1.4826 * np.median(off[whole.mask])
            kept = whole.mask & ~binary_dilation(strange, np.ones((5, 5)))  # it rings beside
            if kept.sum() < _FEWEST_KEPT * whole.mask.sum():
                return None
            template = whole.changed(mask=kept)
            match = register(picture, template, self.sampler, shift, self.reach, own)
            shift = match.shift
        return template, match

    def _find(self, picture, template, start, own: bool, before: np.ndarray) -> Registered:
        """Register a frame from where it is expected; look everywhere if that fails."""
        arguments = (picture, template, self.sampler)
        match = register(*arguments, start, self.reach, own)
        cost = _cost(template, match)
        limit = _SUSPICIOUS * float(np.median(before[-50:])) if len(before) else 0.0
        if self.reach >= 1 and (not match.converged or cost > limit):
            start = search(picture, template, self.sampler, int(self.reach))
            other = register(*arguments, start, self.reach, own)
            if _cost(template, other) < cost:
                match = other
        return match

    def _errors(self, picture, template: Template, match: Registered, own: bool):
        """Return the covariance of a displacement, its part from the frame, and the misfit."""
        model = template.noise
        shift = tuple(np.rint(match.shift).astype(int))
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
            misfit = float((weight * match.residual**2).sum() / (weight * expected).sum())
        color = np.sqrt(np.outer(self.color, self.color))
        frame, total = frame * color, total * color
        if len(template.axes) < 2:
            lost = np.eye(2) - template.axes.T @ template.axes
            total = total + lost * self.reach**2
        return total, frame, misfit

    def _warn(self, template: Template, shifts, misfit, gains) -> None:
        if len(template.axes) == 1:
            y, x = template.axes[0]
            angle = math.degrees(math.atan2(y, x)) % 180
            warn_user(
                f"region has structure along one direction only ({angle:.0f} degrees from x "
                "towards y): displacement across it is not measured and given as 0 +- reach",
            )
        at_limit = np.flatnonzero(np.abs(shifts).max(axis=1) >= self.reach - 1e-6)
        if len(at_limit):
            warn_user(
                f"at the limit reach={self.reach:g} px: {_frames(at_limit)}; a larger reach may "
                "find them",
            )
        typical = float(np.median(misfit))
        strange = np.flatnonzero(misfit > _STRANGE * max(typical, 1.0))
        if len(strange):
            warn_user(
                f"more than {_STRANGE:g} times as far from a shift as the others: "
                f"{_frames(strange)}; something flashes, passes or is lost there, and the "
                "displacement may be wrong",
            )
        excess = gains.var() / (template.gain_variance * self.color.max()) - 1
        doubts = f"residuals are {rounded(typical, 2)} times what noise explains"
        alone = "the error bars include noise alone"
        if not self.brightness and excess > _LIT * math.sqrt(2 / len(gains)):
            warn_user(
                f"brightness of the region varies by {100 * gains.std():.2g} % of its contrast, "
                "which may look like motion; try brightness=True"
                + (f"; {doubts}, and {alone}" if typical > _MISFIT else ""),
            )
        elif typical > _MISFIT:
            warn_user(
                f"{doubts}: the region does more than shift as a whole (or try brightness=True); "
                f"{alone}",
            )


def _cost(template: Template, match: Registered) -> float:
    return float((template.weight * match.residual**2).sum())


def _frames(numbers: np.ndarray) -> str:
    return f"frame {numbers[0]}" + (f" and {len(numbers) - 1} more" if len(numbers) > 1 else "")
