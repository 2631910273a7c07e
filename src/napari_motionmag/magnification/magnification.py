"""magnify(): from a movie to a lazily magnified one.

Every output frame is one block of a dask array. A block's task reads the source frames that the
temporal operator names for it, and no others, and runs the method.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_motionmag.compute.cache import Cache
from napari_motionmag.compute.device import NORMAL, current_priority
from napari_motionmag.compute.validate import warn_user
from napari_motionmag.magnification.settings import OF_THE_MOVIE, MagnifySettings
from napari_motionmag.methods.base import Method, WarnOnce, check_size, make_method
from napari_motionmag.methods.stabilisation.arguments import stabilised
from napari_motionmag.movie.frame_source import FrameSource
from napari_motionmag.movie.lazy import RESULTS
from napari_motionmag.movie.movie import Movie
from napari_motionmag.movie.region import Region
from napari_motionmag.temporal import Static, TemporalOperator
from napari_motionmag.temporal.streaming import reach

if TYPE_CHECKING:
    import dask.array as da

CONTEXT = 64  # px around a region that methods see, unless they say what they need
AROUND = 8  # frames to both sides that have to be drawn, too, before a frame is let go of


def magnification_behind(array) -> Magnification | None:
    """Return the `Magnification` behind a lazy result made in this process; None for others.

    Frames can be asked of a magnification many at a time, which share most of the work.
    """
    return RESULTS.get(getattr(array, "name", None))


@dataclass(frozen=True)
class Magnification:
    """What makes each magnified frame: a movie, a method, an operator and a factor.

    It holds no array but the movie's and can be pickled when that can.
    """

    movie: Movie  # the source
    method: Method
    operator: TemporalOperator  # bound to the frame rate when it needs one
    factor: float  # m, total gain
    # the arguments of `magnify`, as plain values; axes and fps as the movie has them; "given" names
    # those of axes, fps and intensity_range that were arguments
    recipe: dict = field(default_factory=dict)
    # instead of `factor`, one for each pixel, (Y, X) of the whole frame
    factors: np.ndarray | None = field(default=None, repr=False, compare=False)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    warned: WarnOnce = field(default_factory=WarnOnce, repr=False, compare=False)
    cache: Cache = field(default_factory=Cache, repr=False, compare=False)
    # how often each frame was drawn outside of a viewer, by the index along other axes
    draw_counts: dict[tuple, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def draw(
        self, times: Sequence[int], other: tuple[int, ...] = (), *, keep: bool = False
    ) -> list[np.ndarray]:
        """Draw magnified frames, (Y, X[, S]) in the movie's dtype; neighbors share work.

        `other` is the index along the axes other than T, Y, X and S. With `keep` the frames are
        kept for the next request with `keep`, which returns the same arrays: not to be written to.
        """
        if not keep:
            return self._draw(times, other)
        if len(times) == 1:  # several threads that want one frame draw it once
            key = *other, int(times[0])
            return [self.cache.get(key, lambda: self._draw(times, other)[0])]
        drops = self.cache.drops
        frames = {int(t): self.cache.peek((*other, int(t))) for t in times}
        missing = [t for t, frame in frames.items() if frame is None]
        for t, frame in zip(missing, self._draw(missing, other) if missing else (), strict=True):
            frames[t] = frame
            self.cache.put((*other, t), frame, drops)
        return [frames[int(t)] for t in times]

    def refresh(self) -> None:
        """Draw from the data as they are now: after edits in place, forget what was kept."""
        self.movie.refresh()
        self.cache.clear()

    def _draw(self, times: Sequence[int], other: tuple[int, ...]) -> list[np.ndarray]:
        if self.factor == 1 and self.factors is None:  # the identity, to the last bit
            return [self.movie.read(t, other) for t in times]
        whole, region, inside = self.movie, None, ()
        if isinstance(self.movie.data, Region):
            whole = self.movie.data.movie
            context = getattr(self.method, "context", None)
            margin = CONTEXT if context is None else context(self.operator)
            region, inside = self.movie.data.with_margin(margin)
        frames = FrameSource(whole, other, region, self.warned)
        factor = self.factor if self.factors is None else self.factors
        if self.factors is not None and region is not None:
            factor = region.reduce(factor[region.window])
        drawn = self.method.magnify(frames, self.operator, times, factor)
        if current_priority() == NORMAL:  # in a viewer, people come back
            frames.forget(set().union(*(self._no_longer_needed(t, other) for t in times)))
        drawn = [frame[inside] for frame in drawn]
        if self.factors is not None:
            return self._with_parts_kept(whole, drawn, factor[inside], times, other)
        sources = [self.movie.read(t, other) if self.movie.has_alpha else None for t in times]
        return [
            whole.from_unit(frame, source) for frame, source in zip(drawn, sources, strict=True)
        ]

    def _no_longer_needed(self, t: int, other: tuple[int, ...]) -> set[int]:
        """Note that frame t is drawn; return the frames around it that are needed no more.

        A frame is needed until all outputs around it were drawn, in whatever order and by whatever
        threads: until t was the only one among them that was drawn less often than the rest.
        """
        n = self.movie.n_frames
        around = AROUND + reach(self.operator, n)
        counts = self.draw_counts.setdefault(other, np.zeros(n, np.int32))
        before = counts[t]
        counts[t] = before + 1
        start = max(t - 2 * around, 0)
        missing = np.flatnonzero(counts[start : t + 2 * around + 1] <= before) + start
        earlier, later = missing[missing < t], missing[missing > t]
        last = int(earlier[-1]) if len(earlier) else t - 2 * around - 1
        following = int(later[0]) if len(later) else t + 2 * around + 1
        # the end of the movie is kept: short movies are there for the next run
        passed = set(range(max(last + around + 1, 0), min(following, n) - around))
        return passed and passed - self._references(n)

    def _references(self, n: int) -> set[int]:
        """Return the frames that every output of n frames is made from."""
        frames = self.operator.frames(n).tolist() if isinstance(self.operator, Static) else []
        reference = getattr(self.method, "reference", None)  # to which `Stabilised` aligns all
        return {*frames} if reference is None else {*frames, reference % n}

    def _with_parts_kept(
        self, whole: Movie, drawn, factors: np.ndarray, times: Sequence[int], other
    ) -> list[np.ndarray]:
        """Return frames with the pixels of the movie (factor 1) and, static, the reference (0)."""
        from napari_motionmag.magnification.factor_map import stillness

        rest, still = None, None
        if isinstance(self.operator, Static) and (factors == 0).any():
            references = self.operator.frames(self.movie.n_frames).tolist()
            rest = np.mean([whole.to_unit(self.movie.read(t, other)) for t in references], axis=0)
            still = stillness(factors)
            if len(references) == 1:
                exact = self.movie.read(references[0], other)
        out = []
        for t, frame in zip(times, drawn, strict=True):
            source = self.movie.read(t, other)
            if rest is not None:
                share = still if frame.ndim == 2 else still[..., np.newaxis]
                frame = frame + share * (rest - frame)
            values = whole.from_unit(frame, source if self.movie.has_alpha else None)
            values[factors == 1] = source[factors == 1]
            if rest is not None and len(references) == 1:
                values[factors == 0] = exact[factors == 0]
            out.append(values)
        return out

    def block(self, location: tuple[int, ...]) -> np.ndarray:
        """Draw the block at a position of the dask array's grid."""
        at = dict(zip(self.movie.axes, location, strict=True))
        other = tuple(at[axis] for axis in self.movie.other_axes)
        return self.movie.expand(self.draw([at["T"]], other)[0])

    def dask(self) -> da.Array:
        """Return the lazy result: shape and dtype of the movie, one output frame a block."""
        import dask.array as da
        from dask.blockwise import blockwise
        from dask.delayed import delayed, unpack_collections
        from dask.highlevelgraph import HighLevelGraph
        from dask.layers import ArrayBlockIdDep

        movie = self.movie
        chunks = tuple(
            (size,) if axis in "YXS" else (1,) * size
            for axis, size in zip(movie.axes, movie.shape, strict=True)
        )
        name = f"magnify-{self.token}"
        index = tuple(range(movie.ndim))
        # A key of its own: on a cluster the movie goes once to each worker, not with each task.
        source = delayed(self, name=f"magnification-{self.token}", traverse=False)
        reference, _ = unpack_collections(source)
        # One symbolic layer, as map_blocks makes it, without its passes over all the chunks.
        layer = blockwise(
            _block,
            name,
            index,
            ArrayBlockIdDep(chunks),
            index,
            numblocks={},
            magnification=reference,
            dependencies=[source],
        )
        graph = HighLevelGraph.from_collections(name, layer, dependencies=[source])
        RESULTS[name] = self
        return da.Array(graph, name, chunks, meta=np.empty((0,) * movie.ndim, movie.dtype))


def _block(location: tuple[int, ...], magnification: Magnification) -> np.ndarray:
    return magnification.block(location)


def plan(movie, settings: MagnifySettings | float | None = None, /, **arguments) -> Magnification:
    """Check the settings of a magnification and return what makes the frames.

    `movie` is as for `magnify`; instead of settings, the factor and `arguments` of `magnify` may be
    given.
    """
    if not isinstance(settings, MagnifySettings):
        factor = {} if settings is None else {"factor": settings}
        settings = MagnifySettings.from_arguments(**factor, **arguments)
    elif arguments:
        raise TypeError(f"plan() takes settings or arguments, got both: {sorted(arguments)}")
    source = movie
    movie = Movie.from_any(movie, **{name: getattr(settings, name) for name in OF_THE_MOVIE})
    operator = settings.operator(movie.fps)
    operator.row(0, movie.n_frames)  # refuses what does not fit the movie
    if text := operator.too_slow_for(movie.n_frames):
        warn_user(text)
    method = make_method(
        settings.method,
        settings.model,
        settings.device,
        settings.precision,
        settings.tile,
        dict(settings.options),
    )
    part, alignment = None, {}
    if settings.differs("region", "preview"):
        part = Region.make(movie, settings.region, settings.preview)
        if part is not None and settings.stabilise is not None:
            raise ValueError("region and preview work without stabilise, which aligns whole frames")
    if settings.differs("stabilise", "mask"):
        method, alignment = stabilised(
            method, settings.stabilise, settings.mask, movie, operator, source
        )
    factors = None
    if settings.factor_map is not None:
        from napari_motionmag.magnification.factor_map import factor_map_of, pack

        factors = factor_map_of(settings.factor_map, settings.factor, movie, source)
    given_range = movie.given_range
    movie = movie if part is None else part.as_movie()
    who = f"method {settings.method!r}"
    check_size("movie: frames", movie.frame_shape, method.smallest_frame, who)
    recipe = settings.to_recipe(
        operator,
        axes=movie.axes,
        fps=movie.fps,
        intensity_range=given_range,
        **alignment,
        region=None if part is None else part.region,
        preview=1 if part is None else part.preview,
        factor_map=None if factors is None else pack(factors),
    )
    return Magnification(movie, method, operator, settings.factor, recipe, factors)


def magnify(
    movie,
    factor: float,
    *,
    method: str = "learned",
    mode: str | TemporalOperator = "static",
    reference: int | slice | Sequence[int] = 0,
    band: tuple[float, float] | None = None,
    fps: float | None = None,
    filter: str = "fir",
    axes: str | None = None,
    model: str = "default",
    device: str | None = None,
    precision: str | None = None,
    tile: int | None = None,
    intensity_range: tuple[float, float] | None = None,
    stabilise: str | Mapping | None = None,
    mask=None,
    region: Sequence[int] | None = None,
    preview: int = 1,
    more_bands: Sequence[tuple[float, float, float]] = (),
    factor_map=None,
    **options,
) -> da.Array:
    """Magnify the motion in a movie, lazily.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
        numpy, dask or zarr array of real numbers with a time axis; see `axes`.
    factor : float
        m, the total gain of the selected motion: output displacement is m times the input
        displacement. 1 leaves the movie as it is, 0 removes the motion, negative mirrors it.
    method : {"learned", "phase", "riesz", "linear", "lagrangian"}
        How motion is magnified: by a network; by the phases of a complex steerable pyramid or of
        a Riesz pyramid; by the linear Eulerian method; by optical flow and warping.
    mode : {"static", "dynamic", "temporal"} or TemporalOperator
        Which variation is motion: against a reference, against the frame before, in a band of
        frequencies, or what an operator of :mod:`napari_motionmag.temporal` selects.
    reference : int, slice or list of int
        Static mode: the frame at rest, or frames to average.
    band : (float, float), optional
        Temporal mode: lowest and highest frequency in Hz.
    fps : float, optional
        Frames per second. Taken from the layer or the Movie when they know it.
    filter : str
        Temporal mode: kind of filter, one of `napari_motionmag.temporal.FILTERS`: "fir",
        "butterworth", "iir", or "acceleration", which is tuned to the center of the band.
    axes : str, optional
        One letter per axis: T, Z, C, Y, X, S (S: RGB samples), as ``"TYX"`` or ``"TYXS"``.
        Guessed when unambiguous.
    model : str or Path
        Learned method: ``"default"``, ``"difference"``, ``"oh2018"`` or a ``.safetensors`` file.
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``; the best available when None.
    precision : {"float32", "float16", "bfloat16", "float64"}, optional
        Number type of the computation; float16 for networks on CUDA and float32 elsewhere when
        None. Float64 is for the classical methods, float16 and bfloat16 for the learned one.
    tile : int, optional
        Side of the tiles in px that large frames are cut into; results do not depend on it.
    intensity_range : (float, float), optional
        Intensities of black and white. Estimated from few frames, when first needed, if None.
    stabilise : {"translation", "rigid", "affine", "dense"} or dict, optional
        Align all frames to a reference first, magnify what motion is left, and put the large
        motion back as it was. With any method. "dense" follows the drift of every part, slower
        than `band`, so that the gain is right on top of drift of several pixels. A dict gives
        ``model``, one of these, and further options of
        `napari_motionmag.methods.stabilisation.stabilised.Stabilised`: ``reference``, ``align_to``,
        ``smooth``, ``feather``. All but "dense" need scikit-image.
    region : (int, int, int, int), optional
        Only this part of the frames is magnified: first row, last row + 1, first column, last
        column + 1. The learned method draws there what it would in the whole frame; the others
        see 64 px around the region.
    preview : int
        Magnify at a coarser resolution, for large frames: squares of `preview` x `preview` pixels
        are averaged to one. Noise falls, and details are lost.
    more_bands : sequence of (float, float, float), optional
        Temporal mode: further bands, each with a factor of its own: lowest and highest frequency in
        Hz, and the factor. `factor` is that of `band`.
    factor_map : array, napari Labels or Shapes layer, path or dict, optional
        A factor for each pixel. Real numbers (Y, X) are the factors themselves. Labels (Y, X), an
        array of integers, a layer or a .npy or .tif file, say where `factor` counts; a dict gives
        ``labels`` and, optionally, ``factors``, those of single labels, ``rest``, the factor
        elsewhere (1), and ``feather``, the width of the soft edges inside of what is painted (8
        px). Where the factor is 1, pixels stay those of the movie; where it is 0 in static mode,
        those of the reference, to the last bit: a cinemagraph.
    mask : array, napari Labels or Shapes layer, or path, optional
        With `stabilise`: the part of the scene that is followed and magnified; without it, all.
        (Y, X), drawn in the reference frame, or (T, Y, X); what is not 0 is marked. Of the latter,
        pixels are marked in every frame, or in one frame, which is then the reference. Layers are
        converted to the pixels of the movie's layer, whatever the scale of both. A path is a
        ``.npy`` or ``.tif`` file. The mask in the recipe of a magnified layer is allowed, too.
    **options
        Options of the method, as ``pyramid="octave"`` for phase; see its class, or
        `napari_motionmag.methods.options.method_options`.

    Returns
    -------
    dask.array.Array
        Shape (but for `region` and `preview`) and dtype of the movie, one frame a block; nothing
        is computed yet. Computing frame t reads what the temporal operator needs for it and no
        more. Integers are rounded and clipped to their type's limits.
        An array in memory is taken as it is at the call: after editing it in place, call again, or
        `Movie.refresh` of the movie that was given.

    Raises
    ------
    TypeError
        If `movie` is no array of real numbers, `factor` no number, or an option is not known.
    ValueError
        If the axes cannot be guessed, there are fewer than two frames or frames are too small;
        `factor` is not finite; `fps` or `band` is missing in temporal mode, the band does not lie
        below half the rate or needs a filter much longer than the movie; `reference` or `region`
        lies outside the movie; or the requested method, mode, filter, model, device or precision
        does not exist or is unavailable. The message names the argument, what came and what is
        allowed. Frames with NaN or infinite pixels raise when they are computed.

    References
    ----------
    Oh et al., "Learning-based Video Motion Magnification", ECCV 2018 (learned). Wadhwa et al.,
    "Phase-based Video Motion Processing", SIGGRAPH 2013 (phase); "Riesz Pyramids for Fast
    Phase-Based Video Magnification", ICCP 2014 (riesz). Wu et al., "Eulerian Video Magnification",
    SIGGRAPH 2012 (linear). Liu et al., "Motion Magnification", SIGGRAPH 2005 (lagrangian). Zhang et
    al., "Video Acceleration Magnification", CVPR 2017 (acceleration).

    Examples
    --------
    >>> from napari_motionmag import magnify, samples
    >>> movie, about = samples.load("beating_cell")
    >>> magnified = magnify(movie, 10, fps=about["fps"])
    >>> frame = magnified[12].compute()
    """
    arguments = dict(locals())
    movie = arguments.pop("movie")
    return plan(movie, MagnifySettings(**arguments)).dask()


def magnify_layer(layer, factor: float, **options):
    """Magnify the motion in a napari Image layer.

    Parameters
    ----------
    layer : napari.layers.Image
        The source; a time axis as for :func:`magnify`.
    factor : float
        m, total gain of the selected motion.
    **options
        As for :func:`magnify`.

    Returns
    -------
    napari.layers.Image
        A lazy layer with the source's calibration and look, not added to a viewer. Its
        ``metadata["napari_motionmag"]`` says how it was made.
    """
    from napari_motionmag.magnification.layer import magnified_layer

    return magnified_layer(layer, plan(layer, factor, **options))
