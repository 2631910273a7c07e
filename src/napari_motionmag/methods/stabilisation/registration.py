"""How a frame lies against a reference: one rigid or affine map, to a hundredth of a pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from napari_motionmag.methods.stabilisation.transforms import (
    apply,
    change_of_scale,
    small_transform,
    tangents,
)

_BLUR = 1.0  # px at each resolution, against noise
_COARSEST = 24  # px, shorter side of what is aligned, at the coarsest resolution
_SEARCHED = 128  # px, longer side of the image in which the first guess is searched
_MOST_POINTS = 120_000
_UNLIKE = 0.8  # correlation below which other angles are tried
_SETTLED = 5e-4  # px at each resolution
_MOST_STEPS = 30
_ANGLES = np.deg2rad(np.arange(15, 360, 15))


class Alignment(NamedTuple):
    """A map (3, 3) from (y, x, 1) in the reference to a frame, px, and how alike both then are."""

    matrix: np.ndarray
    correlation: float


class Template:
    """A reference (Y, X), prepared so that frames can be aligned to it, or to a part of it.

    A first guess comes from the masked normalized cross-correlation at low resolution [2]_; it is
    refined from coarse to fine by Gauss-Newton steps on the gradient of the reference (inverse
    compositional [1]_), with gain and offset of the brightness free, and with weights that leave
    out what moves in its own way as long as it is the smaller part. ValueError if the part has too
    little texture, or is too small.

    References
    ----------
    .. [1] S. Baker, I. Matthews, "Lucas-Kanade 20 years on: a unifying framework", Int. J.
       Comput. Vis. 56, 2004.
    .. [2] D. Padfield, "Masked object registration in the Fourier domain", IEEE Trans. Image
       Process. 21(5), 2012.
    """

    def __init__(self, image: np.ndarray, model: str, mask: np.ndarray | None = None):
        self.model = model
        self._mask = np.ones(image.shape, bool) if mask is None else np.asarray(mask, bool)
        rows, columns = (np.flatnonzero(self._mask.any(axis)) for axis in (1, 0))
        if len(rows) == 0:
            raise ValueError("mask marks no pixel of the reference")
        sides = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        if min(sides) < 8:
            raise ValueError(
                f"mask must mark a part of at least 8 x 8 px, got {sides[0]} x {sides[1]}"
            )
        depth = max(int(np.log2(min(sides) / _COARSEST)), 0)
        # small things are searched for where they can still be seen
        self._search = min(max(int(np.ceil(np.log2(max(image.shape) / _SEARCHED))), 0), depth)
        self._images = _pyramid(image, depth)
        self._levels = [
            _Level(blurred, self._mask[:: 2**k, :: 2**k], model)
            for k, blurred in enumerate(self._images)
        ]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(level.design.nbytes for level in self._levels) + sum(
            image.nbytes for image in self._images
        )

    def align(self, image: np.ndarray, mask: np.ndarray | None = None) -> Alignment:
        """Find the map from the reference to a frame."""
        images = _pyramid(image, len(self._levels) - 1)
        best = self._from(images, self._guess(images, mask, 0.0))
        if self.model != "translation" and best.correlation < _UNLIKE:
            guesses = [self._guess(images, mask, angle) for angle in _ANGLES]
            coarse = len(self._levels) - 1
            promise = [self._refined(images, coarse, guess)[1] for guess in guesses]
            for n in np.argsort(promise)[-3:]:
                other = self._from(images, guesses[n])
                if other.correlation > best.correlation:
                    best = other
        matrix = best.matrix
        for k in reversed(range(self._search)):
            matrix = self._refined(images, k, matrix)[0]
        return Alignment(matrix, best.correlation)

    def _guess(self, images: list[np.ndarray], mask: np.ndarray | None, angle: float) -> np.ndarray:
        """Turn the reference by an angle about its middle, and shift it to where it fits best."""
        from skimage.registration import phase_cross_correlation

        k = self._search
        reference, marked = self._images[k], self._mask[:: 2**k, :: 2**k]
        middle = np.array(ndimage.center_of_mass(marked))
        turn = small_transform("rigid", np.array([0, 0, angle]), middle, 1.0)
        if angle:
            back = np.linalg.inv(turn)
            at = apply(back, np.indices(reference.shape, dtype=float))
            reference = ndimage.map_coordinates(reference, at, order=1, mode="nearest")
            marked = ndimage.map_coordinates(marked.astype(float), at, order=1) > 0.5
        where = np.ones(images[k].shape, bool) if mask is None else mask[:: 2**k, :: 2**k]
        shift, *_ = phase_cross_correlation(
            reference,
            images[k],
            reference_mask=marked,
            moving_mask=where,
            overlap_ratio=0.3,
        )
        step = np.eye(3)
        step[:2, 2] = -np.asarray(shift)
        return change_of_scale(step @ turn, 0.5**k)

    def _from(self, images: list[np.ndarray], matrix: np.ndarray) -> Alignment:
        """Refine a guess at the resolutions at which it was made and below."""
        correlation = -1.0
        start = matrix
        for k in reversed(range(self._search, len(self._levels))):
            matrix, correlation = self._refined(images, k, matrix)
        if correlation < 0.9:
            # the coarsest resolutions may lead astray what has little but fine texture
            direct, other = self._refined(images, self._search, start)
            if other > correlation:
                matrix, correlation = direct, other
        return Alignment(matrix, correlation)

    def _refined(
        self, images: list[np.ndarray], k: int, matrix: np.ndarray
    ) -> tuple[np.ndarray, float]:
        scale = 2.0**k
        matrix, correlation = self._levels[k].refine(images[k], change_of_scale(matrix, scale))
        return change_of_scale(matrix, 1 / scale), correlation


class _Level:
    """Points of the reference at one resolution, and how its brightness changes with the map."""

    def __init__(self, image: np.ndarray, mask: np.ndarray, model: str):
        self.model = model
        gradient = np.stack(np.gradient(image.astype(np.float64)))
        points = np.stack(np.nonzero(mask))
        if points.shape[1] > _MOST_POINTS:
            chosen = np.random.default_rng(0).choice(points.shape[1], _MOST_POINTS, replace=False)
            points = points[:, np.sort(chosen)]
        at = tuple(points)
        self.points = points.astype(np.float64)
        self.center = self.points.mean(1)
        about = self.points - self.center[:, None]
        self.radius = max(float(np.sqrt((about**2).sum(0).mean())), 1.0)
        slopes = gradient[(slice(None), *at)]
        # A mask drawn by hand takes in some of what lies behind: its border counts less.
        self.prior = np.ones(points.shape[1])
        if not mask.all():
            depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
            self.prior = np.minimum(depth[at] / max(0.2 * depth.max(), 3.0), 1.0) ** 2
        moves = tangents(model, about, self.radius)
        self.values = image[at].astype(np.float64)
        self.contrast = float(self.values.std())
        columns = [(move * slopes).sum(0) for move in moves]
        columns += [self.values - self.values.mean(), np.ones_like(self.values)]
        self.design = np.stack(columns, axis=1)
        normal = self.design[:, :-2].T @ self.design[:, :-2] / len(self.values)
        strength = np.linalg.eigvalsh(normal)
        if self.contrast <= 1e-6 * abs(self.values.mean()) or strength[0] <= 1e-6 * strength[-1]:
            raise ValueError(
                f"reference: the frame, or the part that mask marks, has too little texture to "
                f"tell a {model} from"
            )

    def refine(self, image: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, float]:
        """Improve a map; return it, and the correlation with the reference that it gives."""
        spline = ndimage.spline_filter(image, 5, mode="mirror")
        limits = np.array(image.shape)[:, None] - 1
        corners = self.points[:, [0, -1]]
        correlation = -1.0
        weights = self.prior.copy()
        for _ in range(_MOST_STEPS):
            at = apply(matrix, self.points)
            inside = ((at >= 0) & (at <= limits)).all(0)
            if inside.mean() < 0.1:  # lost
                return matrix, -1.0
            found = ndimage.map_coordinates(
                spline, at[:, inside], order=5, mode="mirror", prefilter=False
            )
            design = self.design[inside]
            fit, left = _robust_fit(design, found, weights[inside], 1e-4 * self.contrast)
            weights[inside] = self.prior[inside] * left
            gain = fit[-2]
            # a small overlap is easily alike
            correlation = _correlation(found, self.values[inside]) * min(inside.mean() / 0.4, 1)
            if gain <= 0.05:  # nothing like the reference here
                return matrix, correlation
            step = small_transform(self.model, fit[:-2] / gain, self.center, self.radius)
            # where the map leads now, a step further back the reference is seen
            matrix = matrix @ np.linalg.inv(step)
            if np.abs(apply(step, corners) - corners).max() < _SETTLED:
                break
        return matrix, correlation


def _robust_fit(
    design: np.ndarray, values: np.ndarray, weights: np.ndarray, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Take one step of least squares with Tukey's weights."""
    weighted = design * weights[:, None]
    normal = weighted.T @ design
    normal[np.diag_indices_from(normal)] *= 1 + 1e-9
    fit = np.linalg.solve(normal, weighted.T @ values)
    left = values - design @ fit
    scale = max(1.4826 * float(np.median(np.abs(left))), floor)
    return fit, np.maximum(1 - (left / (4.685 * scale)) ** 2, 0) ** 2


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    power = (a * a).sum() * (b * b).sum()
    return float((a * b).sum() / np.sqrt(power)) if power > 0 else 0.0


def _pyramid(image: np.ndarray, depth: int) -> list[np.ndarray]:
    """Return blurred images, each half the size of the last; pixel k lies over pixel 2 k."""
    images = []
    image = np.asarray(image, dtype=np.float64)
    for _ in range(depth + 1):
        image = ndimage.gaussian_filter(image, _BLUR, mode="mirror")
        images.append(image)
        image = image[::2, ::2]
    return images
