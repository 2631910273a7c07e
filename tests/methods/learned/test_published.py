"""Published checkpoints draw what the programs that they are from draw.

Each graph is written here again, plainly, as its program has it, on checkpoints of random weights.
"""

import json
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_motionmag import magnify
from napari_motionmag.cli.main import main
from napari_motionmag.methods.learned import published, tensorflow_checkpoint, weights
from napari_motionmag.methods.learned.networks.oh2018_folded import for_inference

# ---- a writer of TensorFlow's checkpoints ----


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def block(entries):
    """A block of a table whose keys share their beginnings with those before."""
    out, restarts, before = b"", [], b""
    for k, (key, value) in enumerate(entries):
        if k % 16 == 0:
            restarts.append(len(out))
            before = b""
        shared = 0
        while shared < min(len(before), len(key)) and before[shared] == key[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:]
        out += value
        before = key
    return out + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def write_tensorflow(prefix, tensors):
    """A checkpoint in one shard, its index in blocks of 20 entries."""
    numbers, entries = b"", [(b"", field(1, 1) + field(3, field(1, 1)))]
    for name in sorted(tensors):
        value = np.asarray(tensors[name])
        kind = {"float32": 1, "int64": 9, "float64": 2}[str(value.dtype)]
        shape = b"".join(field(2, field(1, n)) for n in value.shape)
        where = field(4, len(numbers)) if numbers else b""
        entry = field(1, kind) + field(2, shape) + where + field(5, value.nbytes)
        checksum = varint(6 << 3 | 5) + struct.pack("<I", 1)
        entries.append((name.encode(), entry + checksum))
        numbers += value.tobytes()
    table, handles = b"", []
    for first in range(0, len(entries), 20):
        part = entries[first : first + 20]
        content = block(part)
        handles.append((part[-1][0], varint(len(table)) + varint(len(content))))
        table += content + bytes(5)
    meta = varint(len(table)) + varint(len(block([])))
    table += block([]) + bytes(5)
    content = block(handles)
    footer = meta + varint(len(table)) + varint(len(content))
    table += content + bytes(5) + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    prefix.with_name(prefix.name + ".index").write_bytes(table)
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(numbers)
    prefix.with_name(prefix.name + ".meta").write_bytes(b"the graph, which is not read")


# ---- plain references: weights by name, frames in [0, 1] ----


class Plain:
    """What the programs have in common: reflection, blocks, and where layers have biases."""

    def __init__(self, seed, bias):
        self.generator = torch.Generator().manual_seed(seed)
        self.bias = bias
        self.state = {}

    def conv(self, x, name, outputs, size=3, stride=1, pad="reflect", conv=""):
        name += conv
        if f"{name}.weight" not in self.state:
            scale = 1.2 / (x.shape[1] * size * size) ** 0.5
            weight = torch.randn(outputs, x.shape[1], size, size, generator=self.generator)
            self.state[f"{name}.weight"] = scale * weight
            if self.bias:
                self.state[f"{name}.bias"] = 0.1 * torch.randn(outputs, generator=self.generator)
        sides = (0, 1, 0, 1) if pad == "after" else (size // 2,) * 4
        x = F.pad(x, sides, mode="constant" if pad == "after" else "reflect")
        return F.conv2d(
            x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"), stride=stride
        )

    def block(self, x, first, second):
        y = torch.relu(self.conv(x, first, x.shape[1]))
        return x + self.conv(y, second, x.shape[1])


def twice(x):
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


class Authors(Plain):
    """12dmodel/deep_motion_mag, modules.py and magnet.py."""

    def encode(self, x):
        e = "encoder/"
        x = torch.relu(self.conv(2 * x - 1, e + "enc_conv1_c", 16, 7))
        x = torch.relu(self.conv(x, e + "enc_conv2_c", 32, 3, 2, "after"))
        for k in range(3):
            x = self.block(x, *(f"{e}encoder_resblk{k}_c{c}" for c in (1, 2)))
        v = torch.relu(self.conv(x, e + "enc_texture_conv", 32, 3, 2, "after"))
        m = x
        for name in ("", "_1"):
            v = self.block(v, *(f"{e}texture_enc{name}_c{c}" for c in (1, 2)))
            m = self.block(m, *(f"{e}shape_enc{name}_c{c}" for c in (1, 2)))
        return v, m

    def __call__(self, a, b, factor):
        (_, m_a), (v, m_b) = self.encode(a), self.encode(b)
        n, d = "manipulator/mani_", "decoder/"
        x = torch.relu(self.conv(m_b - m_a, n + "conv0c", 32, 7)) * (factor - 1)
        x = self.conv(x, n + "aft_conv0c", 32)
        x = m_b + self.block(x, n + "resblk0_c1", n + "resblk0_c2")
        v = torch.relu(self.conv(twice(v), d + "texture_upsample", 32))
        x = torch.cat([v, x], 1)
        for k in range(9):
            x = self.block(x, *(f"{d}decoder_resblk{k}_c{c}" for c in (1, 2)))
        x = torch.relu(self.conv(twice(x), d + "dec_conv2_c", 32))
        return (self.conv(x, d + "pred_conv", 3, 7) + 1) / 2

    def save(self, folder):
        tensors = {"beta1_power": np.float32(0.5), "global_step": np.int64(458775)}
        for name, value in self.state.items():
            name = "ynet_3frames/" + name.removesuffix(".weight") + "/Conv/weights"
            tensors[name] = value.permute(2, 3, 1, 0).contiguous().numpy()
            tensors[f"{name}/Adam"] = tensors[f"{name}/Adam_1"] = np.zeros(3, np.float32)
        write_tensorflow(folder / "o3f_nl_n_t_ds3-458775", tensors)
        return folder / "o3f_nl_n_t_ds3-458775.index"


class Port(Plain):
    """A port to PyTorch, by the names of its layers."""

    names: dict
    blocks: dict  # of trunk, texture, shape, fusion and h
    g_size, unit_range, less, base_is_frame = 3, False, 0, True
    wrapped: tuple = ()  # keys around the state dict
    prefix = ""

    def named(self, x, layer, *arguments, **options):
        return self.conv(x, self.names[layer], *arguments, **options)

    def through(self, x, layer, count):
        for k in range(count):
            x = self.block(x, *self.blocks[layer](k))
        return x

    def encode(self, x):
        x = torch.relu(self.named(x if self.unit_range else 2 * x - 1, "first", 16, 7))
        x = torch.relu(self.named(x, "down", 32, 3, 2))
        x = self.through(x, "trunk", 3)
        v = self.through(torch.relu(self.named(x, "texture", 32, 3, 2)), "texture", 2)
        return v, self.through(torch.relu(self.named(x, "shape", 32)), "shape", 2)

    def __call__(self, a, b, factor):
        (_, m_a), (v, m_b) = self.encode(a), self.encode(b)
        x = torch.relu(self.named(m_b - m_a, "g", 32, self.g_size)) * (factor - self.less)
        x = self.through(self.named(x, "h", 32), "h", 1)
        x = x + (m_b if self.base_is_frame else m_a)
        v = twice(v)
        if "texture_up" in self.names:
            v = torch.relu(self.named(v, "texture_up", 32))
        x = twice(self.through(torch.cat([v, x], 1), "fusion", 9))
        if "up_first" in self.names:
            x = torch.relu(self.named(x, "up_first", 64))
        x = self.named(torch.relu(self.named(x, "up", 32)), "last", 3, 7)
        return x if self.unit_range else (x + 1) / 2

    def save(self, folder):
        state = {self.prefix + name: value for name, value in self.state.items()}
        for key in self.wrapped:
            state = {key: state, "epoch": 3, "optimizer_state_dict": {"state": {}, "lr": 1e-4}}
        path = folder / f"{type(self).__name__}.pth"
        torch.save(state, path)
        return path


class ZhengPeng(Port):
    prefix = "module."
    names: ClassVar = dict(
        first="encoder.cba_1.conv2d", down="encoder.cba_2.conv2d",
        texture="encoder.texture_cba.conv2d", shape="encoder.motion_cba.conv2d",
        g="manipulator.g.conv2d", h="manipulator.h_conv.conv2d",
        up="decoder.cba_1.conv2d", last="decoder.cba_2.conv2d",
    )  # fmt: skip
    blocks: ClassVar = {
        layer: lambda k, name=name: [f"{name}.cba_{c}.conv2d".format(k) for c in (1, 2)]
        for layer, name in dict(
            trunk="encoder.resblks.{}", texture="encoder.texture_resblks.{}",
            shape="encoder.motion_resblks.{}", h="manipulator.h_resblk",
            fusion="decoder.resblks.{}",
        ).items()
    }  # fmt: skip


class Cgst(Port):
    unit_range, base_is_frame = True, False
    names: ClassVar = dict(
        first="encoder.conv.1", down="encoder.conv.4", texture="encoder.texture.1",
        shape="encoder.shape.1", g="manipulator.conv1.1", h="manipulator.conv2.1",
        up="decoder.deconv.2", last="decoder.deconv.5",
    )  # fmt: skip
    blocks: ClassVar = dict(
        trunk=lambda k: [f"encoder.res.{k}.block.{c}" for c in (1, 4)],
        texture=lambda k: [f"encoder.texture.{k + 3}.block.{c}" for c in (1, 4)],
        shape=lambda k: [f"encoder.shape.{k + 3}.block.{c}" for c in (1, 4)],
        h=lambda k: [f"manipulator.conv2.2.block.{c}" for c in (1, 4)],
        fusion=lambda k: [f"decoder.res.{k}.block.{c}" for c in (1, 4)],
    )


class Kkjh(Port):
    g_size, less = 7, 1
    wrapped, prefix = ("state_dict",), "module."
    names: ClassVar = dict(
        first="encoder.conv1", down="encoder.conv2", texture="encoder.conv1_text",
        shape="encoder.conv1_shape", g="manipulator.convblks.0.conv1",
        h="manipulator.convblks_after.0.conv1", texture_up="decoder.conv1_text",
        up="decoder.conv1", last="decoder.conv2",
    )  # fmt: skip
    blocks: ClassVar = {
        layer: lambda k, name=name: [f"{name}.{k}.conv{c}" for c in (1, 2)]
        for layer, name in dict(
            trunk="encoder.resblks", texture="encoder.resblks_text",
            shape="encoder.resblks_shape", h="manipulator.resblks", fusion="decoder.resblks",
        ).items()
    }  # fmt: skip


class Postech(Port):
    g_size = 7
    wrapped = ("model_state_dict",)
    names: ClassVar = dict(
        first="encoder.res_encoder.conv1", down="encoder.res_encoder.conv2",
        texture="encoder.conv_tex", shape="encoder.conv_sha", g="res_manipulator.conv1",
        h="res_manipulator.conv2", texture_up="decoder.conv_tex_aft_upsample",
        up_first="decoder.res_decoder.conv_up_sample", up="decoder.res_decoder.conv1",
        last="decoder.res_decoder.conv2",
    )  # fmt: skip
    blocks: ClassVar = {
        layer: lambda k, name=name: [f"{name}.{k}.conv{c}" for c in (1, 2)]
        for layer, name in dict(
            trunk="encoder.res_encoder.residual", texture="encoder.texture_resblk",
            shape="encoder.shape_resblk", h="res_manipulator.residual",
            fusion="decoder.res_decoder.residual",
        ).items()
    }  # fmt: skip


PROGRAMS = {
    "authors": (Authors, False, 918_928),
    "ZhengPeng7": (ZhengPeng, False, 877_968),
    "cgst": (Cgst, True, 879_843),
    "kkjh0723": (Kkjh, False, 928_144),
    "postech": (Postech, True, 966_979),
}


def frames(height=40, width=52):
    return torch.rand(2, 1, 3, height, width, generator=torch.Generator().manual_seed(5))


@pytest.fixture(params=PROGRAMS)
def checkpoint(request, tmp_path):
    """A file, the program that wrote it, and its name."""
    kind, bias, _ = PROGRAMS[request.param]
    program = kind(3, bias)
    with torch.inference_mode():
        program(*frames(), 2.0)  # makes the weights
    return program.save(tmp_path), program, request.param


def test_a_checkpoint_draws_what_its_program_draws(checkpoint):
    path, program, name = checkpoint
    network, card = weights.load(path)
    assert sum(p.numel() for p in network.parameters()) == PROGRAMS[name][2]
    assert name in card["origin"] or name == "authors"
    a, b = frames()
    for factor in (0.0, 5.0, 60.0):
        with torch.inference_mode():
            expected = program(a, b, factor)
            assert (network(a, b, factor) - expected).abs().max() < 1e-5 * expected.abs().max()
    assert expected.std() > 0.1
    with torch.inference_mode():  # and as it is run
        parts = for_inference(network)
        (texture, shape), rest = parts.encoder(b), parts.shape(a)
        delta = parts.variation(shape - rest)
        drawn = parts.decoder(texture, shape - delta + parts.response(delta, 60.0))
    assert (drawn - expected).abs().max() < 1e-5 * expected.abs().max()


def test_a_tile_with_its_halo_equals_the_whole_frame(checkpoint):
    network, _ = weights.load(checkpoint[0])
    halo = -(-network.halo // 4) * 4
    a, b = torch.rand(2, 1, 3, 2 * halo + 24, 16)
    with torch.inference_mode():
        whole = network(a, b, 5.0)[..., :16, :]
        tile = network(a[..., : halo + 16, :], b[..., : halo + 16, :], 5.0)[..., :16, :]
    assert (whole - tile).abs().max() < 1e-5 * whole.abs().max()


def test_grey_frames_are_three_equal_channels(checkpoint):
    network, _ = weights.load(checkpoint[0])
    a, b = (x[:, :1] for x in frames())
    with torch.inference_mode():
        color = network(a.expand(-1, 3, -1, -1), b.expand(-1, 3, -1, -1), 4.0).mean(1)
        grey = network.to_grey()(a, b, 4.0)[:, 0]
    assert (grey - color).abs().max() < 1e-5 * color.abs().max()


def test_magnify_takes_a_checkpoint_as_it_is_and_converted(checkpoint, tmp_path, capsys):
    path, program, _ = checkpoint
    out = tmp_path / "converted.safetensors"
    assert main(["weights", "convert", str(path), str(out)]) == 0
    assert "wrote" in capsys.readouterr().out
    movie = np.concatenate([x.permute(0, 2, 3, 1).numpy() for x in frames()])
    drawn = [magnify(movie, 3, model=model)[1].compute() for model in (path, str(out))]
    assert np.array_equal(*drawn)
    with torch.inference_mode():  # frames have a reflected border here
        bordered = (F.pad(x, (8,) * 4, mode="reflect") for x in frames())
        expected = program(*bordered, 3.0)[0, :, 8:-8, 8:-8].permute(1, 2, 0).numpy()
    assert np.abs(drawn[0] - expected).max() < 1e-5 * np.abs(expected).max()
    card = weights.read_card(out)
    assert card["license"].startswith("not ours")
    assert card["file"] == path.name
    assert card["file_sha256"] == weights.sha256(path)
    assert main(["weights", "convert", str(path), str(out)]) == 2
    assert "exists already" in capsys.readouterr().err


def write_authors(folder):
    program = Authors(3, False)
    with torch.inference_mode():
        program(*frames(), 2.0)
    return program, program.save(folder)


def test_any_file_of_a_tensorflow_checkpoint_names_it(tmp_path, monkeypatch):
    from napari_motionmag.magnification.settings import MagnifySettings

    _, index = write_authors(tmp_path)
    prefix = index.with_suffix("")
    for name in (prefix, index, f"{prefix}.data-00000-of-00001", f"{prefix}.meta"):
        assert weights.resolve(name) == index
    monkeypatch.chdir(tmp_path)
    settings = MagnifySettings.from_arguments(factor=2, model=prefix.name)
    assert settings.to_recipe(_static())["model"] == str(prefix)
    before = weights.sha256(index)
    shard = tmp_path / f"{prefix.name}.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\1")
    assert weights.sha256(index) != before


def _static():
    from napari_motionmag.temporal import Static

    return Static(0)


def test_named_weights_of_the_user(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path))
    program, _ = write_authors(tmp_path)
    (tmp_path / "broken.pth").write_bytes(b"nothing")
    (tmp_path / "folder.pth").mkdir()
    (tmp_path / "difference.pth").write_bytes(b"hidden by the package's")
    name = "o3f_nl_n_t_ds3-458775"
    with (
        pytest.warns(UserWarning, match=r"broken\.pth"),
        pytest.warns(UserWarning, match="'difference' is the name of other weights; rename"),
    ):
        assert [one.name for one in weights.of_the_user()] == [name]
    assert weights.load(name)[1]["file"] == f"{name}.index"
    assert main(["weights", "convert", name, str(tmp_path / "out.safetensors")]) == 0
    assert "wrote" in capsys.readouterr().out
    (tmp_path / "out.safetensors").unlink()
    assert main(["weights", "list"]) == 0
    output = capsys.readouterr()
    assert "difference: " in output.out
    assert f"  {name}: oh2018, the authors" in output.out
    assert "broken.pth" in output.err
    assert main(["weights", "info", name]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["padding"] == "reflect"
    with torch.inference_mode():
        expected = program(*frames(), 2.0)
        drawn = weights.load(name)[0](*frames(), 2.0)
    assert (drawn - expected).abs().max() < 1e-5 * expected.abs().max()


# ---- what is refused ----


def test_a_pickled_program_is_not_run(tmp_path):
    path = tmp_path / "program.pt"
    torch.save(torch.nn.Conv2d(1, 1, 1), path)
    with pytest.raises(ValueError, match=r"program\.pt.*is not run; save the state dict"):
        weights.load(path)


class Program:
    def __reduce__(self):
        return Path.touch, (Path("was_run"),)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.pth", lambda p: p.write_text("no checkpoint\n" * 9), "not a file that torch.save has"),
        ("a.pth", lambda p: p.write_bytes(bytes(9999)), "not a file that torch.save has"),
        ("a.ckpt", lambda p: p.write_bytes(pickle.dumps(Program())), "not a file that torch.save"),
        ("a.tar", lambda p: torch.save({"model": Program()}, p), "program, which is not run"),
        ("a.pt", lambda p: torch.jit.save(torch.jit.script(torch.nn.ReLU()), p), "is not run"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_other_files_are_refused_in_one_line(tmp_path, monkeypatch, capsys, name, write, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name)
    assert main(["weights", "convert", name, "out.safetensors"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"model: {name!r}" in line or f"from {name!r}" in line
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_any_damage_of_a_state_dict_is_a_value_error(tmp_path):
    path = tmp_path / "small.pth"
    torch.save({"encoder.conv1.weight": torch.zeros(16, 3, 7, 7)}, path)
    content = path.read_bytes()
    first = content.index(b"encoder.conv1.weight")
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(content)
        for at in rng.integers(first, first + 250, size=2):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"small\.pth"):
            weights.load(path)


def test_state_dicts_of_other_precisions_are_read(tmp_path):
    program = Kkjh(3, False)
    with torch.inference_mode():
        program(*frames(), 2.0)
    state = program.state
    for dtype in (torch.bfloat16, torch.float64):
        torch.save({name: value.to(dtype) for name, value in state.items()}, tmp_path / "a.pth")
        network, _ = weights.load(tmp_path / "a.pth")
        expected = state["encoder.conv1.weight"].to(dtype).float()
        assert torch.equal(network.encoder.first.weight, expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.to_sparse(),
        lambda value: value.to("meta"),
        lambda value: torch.zeros(1).expand(2**17, 2**17, 7, 7),  # terabytes
    ],
)
def test_parameters_that_are_not_in_the_file_are_refused(tmp_path, change):
    torch.save({"encoder.conv1.weight": change(torch.zeros(16, 3, 7, 7))}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth' holds no network that is known"):
        weights.load(tmp_path / "a.pth")


def test_checkpoints_with_nan_are_refused(tmp_path):
    program = Kkjh(3, False)
    with torch.inference_mode():
        program(*frames(), 2.0)
    program.state["decoder.conv2.weight"] = program.state["decoder.conv2.weight"] * float("nan")
    path = program.save(tmp_path)
    with pytest.raises(
        ValueError, match=r"Kkjh\.pth' are NaN or infinite: \['decoder\.last\.weight"
    ):
        weights.load(path)


@pytest.mark.parametrize("name", ["huge.pth", "huge.index", "huge.safetensors"])
def test_files_that_are_too_large_are_not_read(tmp_path, name):
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(5 * 2**30)
    for read in (weights.load, weights.sha256):
        with pytest.raises(ValueError, match=rf"{name}' has 5\.0 GiB; .* less than 1"):
            read(path)


def test_what_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "folder.pth").mkdir()
    (tmp_path / "model.txt").touch()
    (tmp_path / "model.data-00000-of-00001").touch()
    for name, what in (
        ("folder.pth", "a folder"),
        ("model.txt", "a file of another kind"),
        ("model.data-00000-of-00001", "whose .index file is missing"),
    ):
        with pytest.raises(ValueError, match=rf"model must be one of .*{name}', {what}$"):
            weights.resolve(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"layer.weight": torch.zeros(1)}, r"no network that is known.*layer\.weight"),
        ({"network": {}, "step": 3}, r"no network that is known; .* in the \.safetensors file"),
        ([1, 2], "holds no state dict but a list"),
        ({"encoder.conv1.weight": torch.zeros(16, 3, 7, 7)}, "do not fit: .*Missing key"),
        (
            {"encoder.conv1.weight": torch.zeros(16, 3, 7, 7), "else.weight": torch.zeros(1)},
            r"parameters of other layers: \['else\.weight'\]",
        ),
    ],
)
def test_other_state_dicts_are_refused(tmp_path, content, message):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=message) as found:
        weights.load(path)
    assert len(str(found.value)) < 500


def test_damaged_files_are_refused(tmp_path):
    _, index = write_authors(tmp_path)
    table = index.read_bytes()
    shard = tmp_path / index.name.replace(".index", ".data-00000-of-00001")
    numbers = shard.read_bytes()
    shard.write_bytes(numbers[: len(numbers) // 2])
    with pytest.raises(ValueError, match="cut short"):
        weights.load(index)
    shard.unlink()
    with pytest.raises(ValueError, match="No such file"):
        weights.load(index)
    shard.write_bytes(numbers)
    for content, message in [
        (b"", "no index of a checkpoint"),
        (table[:-60] + table[-48:], "TensorFlow checkpoint|cut short|no network"),
        (table[:-1], "no index of a checkpoint"),
    ]:
        index.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            weights.load(index)
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(ValueError, match=r"cannot read a state dict from .*empty\.pth"):
        weights.load(tmp_path / "empty.pth")


def test_any_damage_of_an_index_is_a_value_error(tmp_path):
    _, index = write_authors(tmp_path)
    table = index.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(table)
        for at in rng.integers(len(table), size=3):
            damaged[at] = rng.integers(256)
        index.write_bytes(damaged)
        try:
            tensorflow_checkpoint.read(index, lambda name: True)
        except ValueError:
            continue


def test_output_of_convert_is_a_safetensors_file(tmp_path, capsys):
    _, index = write_authors(tmp_path)
    assert main(["weights", "convert", str(index), str(tmp_path / "out.pth")]) == 2
    assert "must end in .safetensors" in capsys.readouterr().err
    assert published.files(tmp_path / "nothing") == []
