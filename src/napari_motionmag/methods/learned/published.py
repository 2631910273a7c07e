"""Checkpoints of the paper's network that others have published, as weights of `Oh2018Net`.

The authors' is a TensorFlow checkpoint; ports to PyTorch have state dicts. Each program built a
graph of its own, and its parameters tell which: their names the program, their shapes the rest.
"""

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_motionmag.compute.device import load_torch
from napari_motionmag.methods.learned import tensorflow_checkpoint

TORCH_SUFFIXES = (".pth", ".pt", ".tar", ".ckpt", ".bin")
_STATE_DICTS = ("state_dict", "model_state_dict", "model")  # where training programs keep them


@dataclass(frozen=True)
class Graph:
    """How a program names the layers of the network, and what it does between them.

    Attributes
    ----------
    origin : str
        Who published checkpoints of it.
    layers : dict of str to str
        Our layers to theirs. ``{b}`` is the number of a residual block, ``{c}`` one of its two
        convolutions. Those that a checkpoint lacks must be optional (`Oh2018Config`).
    convs : tuple of str
        Their ``{c}``.
    config : dict
        Of the fields of `Oh2018Config` those that shapes do not tell.
    """

    origin: str
    layers: Mapping[str, str]
    convs: tuple[str, str]
    config: Mapping[str, object] = field(default_factory=dict)


_OURS = ("first", "second")
_OPTIONAL = {
    "encoder.shape_in": "shape_in", "decoder.texture_up": "texture_up",
    "decoder.up_first": "up_again",
}  # fmt: skip
_BLOCKS = {
    "encoder.trunk": "encoder_blocks", "encoder.texture": "head_blocks",
    "encoder.shape": "head_blocks", "decoder.fusion": "decoder_blocks",
}  # fmt: skip

GRAPHS = (
    Graph(
        "the authors, github.com/12dmodel/deep_motion_mag (TensorFlow)",
        {
            "encoder.first": "encoder/enc_conv1_c",
            "encoder.down": "encoder/enc_conv2_c",
            "encoder.trunk.{b}.{c}": "encoder/encoder_resblk{b}_{c}",
            "encoder.texture_in": "encoder/enc_texture_conv",
            "encoder.texture.0.{c}": "encoder/texture_enc_{c}",
            "encoder.texture.{b}.{c}": "encoder/texture_enc_{b}_{c}",
            "encoder.shape_in": "encoder/enc_shape_conv",
            "encoder.shape.0.{c}": "encoder/shape_enc_{c}",
            "encoder.shape.{b}.{c}": "encoder/shape_enc_{b}_{c}",
            "manipulator.g": "manipulator/mani_conv0c",
            "manipulator.h_in": "manipulator/mani_aft_conv0c",
            "manipulator.h_{c}": "manipulator/mani_resblk0_{c}",
            "decoder.texture_up": "decoder/texture_upsample",
            "decoder.fusion.{b}.{c}": "decoder/decoder_resblk{b}_{c}",
            "decoder.up": "decoder/dec_conv2_c",
            "decoder.last": "decoder/pred_conv",
        },
        ("c1", "c2"),
        {
            "padding": "reflect",
            "strided_padding": "after",
            "base": "frame",
            "gain": "m - 1",
        },
    ),
    Graph(
        "github.com/ZhengPeng7/motion_magnification_learning-based (PyTorch)",
        {
            "encoder.first": "encoder.cba_1.conv2d",
            "encoder.down": "encoder.cba_2.conv2d",
            "encoder.trunk.{b}.{c}": "encoder.resblks.{b}.{c}.conv2d",
            "encoder.texture_in": "encoder.texture_cba.conv2d",
            "encoder.texture.{b}.{c}": "encoder.texture_resblks.{b}.{c}.conv2d",
            "encoder.shape_in": "encoder.motion_cba.conv2d",
            "encoder.shape.{b}.{c}": "encoder.motion_resblks.{b}.{c}.conv2d",
            "manipulator.g": "manipulator.g.conv2d",
            "manipulator.h_in": "manipulator.h_conv.conv2d",
            "manipulator.h_{c}": "manipulator.h_resblk.{c}.conv2d",
            "decoder.texture_up": "decoder.texture_cba.conv2d",
            "decoder.fusion.{b}.{c}": "decoder.resblks.{b}.{c}.conv2d",
            "decoder.up": "decoder.cba_1.conv2d",
            "decoder.last": "decoder.cba_2.conv2d",
        },
        ("cba_1", "cba_2"),
        {"padding": "reflect", "base": "frame"},
    ),
    Graph(
        "github.com/cgst/motion-magnification (PyTorch)",
        {
            "encoder.first": "encoder.conv.1",
            "encoder.down": "encoder.conv.4",
            "encoder.trunk.{b}.{c}": "encoder.res.{b}.block.{c}",
            "encoder.texture_in": "encoder.texture.1",
            "encoder.texture.{b}.{c}": "encoder.texture.{b+3}.block.{c}",
            "encoder.shape_in": "encoder.shape.1",
            "encoder.shape.{b}.{c}": "encoder.shape.{b+3}.block.{c}",
            "manipulator.g": "manipulator.conv1.1",
            "manipulator.h_in": "manipulator.conv2.1",
            "manipulator.h_{c}": "manipulator.conv2.2.block.{c}",
            "decoder.fusion.{b}.{c}": "decoder.res.{b}.block.{c}",
            "decoder.up": "decoder.deconv.2",
            "decoder.last": "decoder.deconv.5",
        },
        ("1", "4"),
        {"padding": "reflect", "unit_range": True},
    ),
    Graph(
        "github.com/kkjh0723/motion_magnification_pytorch (PyTorch)",
        {
            "encoder.first": "encoder.conv1",
            "encoder.down": "encoder.conv2",
            "encoder.trunk.{b}.{c}": "encoder.resblks.{b}.{c}",
            "encoder.texture_in": "encoder.conv1_text",
            "encoder.texture.{b}.{c}": "encoder.resblks_text.{b}.{c}",
            "encoder.shape_in": "encoder.conv1_shape",
            "encoder.shape.{b}.{c}": "encoder.resblks_shape.{b}.{c}",
            "manipulator.g": "manipulator.convblks.0.conv1",
            "manipulator.h_in": "manipulator.convblks_after.0.conv1",
            "manipulator.h_{c}": "manipulator.resblks.0.{c}",
            "decoder.texture_up": "decoder.conv1_text",
            "decoder.fusion.{b}.{c}": "decoder.resblks.{b}.{c}",
            "decoder.up": "decoder.conv1",
            "decoder.last": "decoder.conv2",
        },
        ("conv1", "conv2"),
        {"padding": "reflect", "base": "frame", "gain": "m - 1"},
    ),
    Graph(
        "github.com/postech-ami/Deep-Motion-Mag-Pytorch (PyTorch)",
        {
            "encoder.first": "encoder.res_encoder.conv1",
            "encoder.down": "encoder.res_encoder.conv2",
            "encoder.trunk.{b}.{c}": "encoder.res_encoder.residual.{b}.{c}",
            "encoder.texture_in": "encoder.conv_tex",
            "encoder.texture.{b}.{c}": "encoder.texture_resblk.{b}.{c}",
            "encoder.shape_in": "encoder.conv_sha",
            "encoder.shape.{b}.{c}": "encoder.shape_resblk.{b}.{c}",
            "manipulator.g": "res_manipulator.conv1",
            "manipulator.h_in": "res_manipulator.conv2",
            "manipulator.h_{c}": "res_manipulator.residual.0.{c}",
            "decoder.texture_up": "decoder.conv_tex_aft_upsample",
            "decoder.fusion.{b}.{c}": "decoder.res_decoder.residual.{b}.{c}",
            "decoder.up_first": "decoder.res_decoder.conv_up_sample",
            "decoder.up": "decoder.res_decoder.conv1",
            "decoder.last": "decoder.res_decoder.conv2",
        },
        ("conv1", "conv2"),
        {"padding": "reflect", "base": "frame"},
    ),
)


def files(path: Path) -> list[Path]:
    """Return the files that hold a checkpoint, the one that stands for it first; [] for others."""
    path = Path(path)
    if path.suffix in TORCH_SUFFIXES and os.path.isfile(path):
        return [path]
    index = tensorflow_checkpoint.index_file(path)
    return [] if index is None else [index, *tensorflow_checkpoint.shards(index)]


def read(path: Path) -> tuple[dict, dict, str]:
    """Read a published checkpoint.

    Parameters
    ----------
    path : Path
        As `files` returns it first.

    Returns
    -------
    tensors : dict of str to Tensor
        By the names of `Oh2018Net`, float32.
    config : dict
        For `Oh2018Config`.
    origin : str
        Who published such checkpoints.

    Raises
    ------
    ValueError
        If it cannot be read without running what is in it, or is of no graph that is known.
    """
    load_torch()
    import torch

    found = _tensorflow(path) if path.suffix == ".index" else _state_dict(path)
    for graph in GRAPHS:
        if graph.layers["encoder.first"] + ".weight" in found:
            try:
                tensors, config = _translated(graph, found)
            except ValueError as error:
                raise ValueError(
                    f"model: {str(path)!r} does not fit the network of {graph.origin}: {error}"
                ) from None
            return {k: torch.from_numpy(v) for k, v in tensors.items()}, config, graph.origin
    begin = f"its parameters begin with {sorted(found)[:3]}"
    trained = "weights that are trained here are in the .safetensors file beside the checkpoint"
    raise ValueError(
        f"model: {str(path)!r} holds no network that is known; {begin if found else trained}"
    )


def _tensorflow(path: Path) -> dict[str, np.ndarray]:
    """Return weights of a checkpoint as PyTorch has them, without those of an optimizer."""
    end, scope = "/Conv/weights", "ynet_3frames/"
    return {
        name.removeprefix(scope).removesuffix(end) + ".weight": value.transpose(3, 2, 0, 1)
        for name, value in tensorflow_checkpoint.read(path, lambda n: n.endswith(end)).items()
        if value.ndim == 4
    }


def _state_dict(path: Path) -> dict[str, np.ndarray]:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch, about what is refused here
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise errors of any kind
        unsafe = any(word in str(error) for word in ("GLOBAL", "TorchScript"))
        raise ValueError(
            f"model: {str(path)!r} holds a program, which is not run; save the state dict "
            "alone, with the program that made it: torch.save(model.state_dict(), FILE)"
            if unsafe
            else f"model: cannot read a state dict from {str(path)!r}: it is damaged, or not a "
            "file that torch.save has written (unpack archives first)"
        ) from None
    for key in _STATE_DICTS:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict):
        raise ValueError(f"model: {str(path)!r} holds no state dict but a {type(found).__name__}")
    return {
        str(name).removeprefix("module."): value.detach().to(torch.float32).numpy()
        for name, value in found.items()
        if _has_numbers(value)
    }


def _has_numbers(value) -> bool:
    """Whether a value is a tensor of floating-point numbers, each of which is in the file."""
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.is_floating_point()
        and value.device.type == "cpu"
        and value.layout == torch.strided
        and value.nbytes <= value.untyped_storage().nbytes()
    )


def _translated(graph: Graph, found: dict[str, np.ndarray]) -> tuple[dict, dict]:
    """Return tensors by our names, and the configuration."""
    tensors: dict[str, np.ndarray] = {}
    for ours, theirs in _layers(graph, found):
        for part in ("weight", "bias"):
            if f"{theirs}.{part}" in found:
                value = found.pop(f"{theirs}.{part}")
                tensors[f"{ours}.{part}"] = np.ascontiguousarray(value, np.float32)
    if found:
        raise ValueError(f"it has parameters of other layers: {sorted(found)[:3]}")
    blocks = {
        name: len({k.split(".")[2] for k in tensors if k.startswith(f"{layer}.")})
        for layer, name in _BLOCKS.items()
    }
    config = {
        **graph.config,
        **blocks,
        **{name: f"{layer}.weight" in tensors for layer, name in _OPTIONAL.items()},
        "bias": "encoder.first.bias" in tensors,
        "manipulator_bias": "manipulator.g.bias" in tensors,
    }
    if (g := tensors.get("manipulator.g.weight")) is not None:
        config["g_size"] = g.shape[-1]
    return tensors, config


def _layers(graph: Graph, found: dict) -> Iterator[tuple[str, str]]:
    """Return our and their names of the layers, of as many blocks as there are."""
    for ours, theirs in graph.layers.items():
        convs = zip(_OURS, graph.convs, strict=True) if "{c}" in ours else [("", "")]
        for mine, its in convs:
            numbers = range(len(found)) if "{b}" in ours else [0]
            for b in numbers:
                name = theirs.replace("{b+3}", str(b + 3)).replace("{b}", str(b))
                name = name.replace("{c}", its)
                if f"{name}.weight" in found:
                    yield ours.replace("{b}", str(b)).replace("{c}", mine), name
