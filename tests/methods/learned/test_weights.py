import hashlib

import pytest
import torch

from napari_motionmag.methods.learned import weights


def test_shipped_weights_have_hash_config_and_origin():
    shipped = {w.name: w for w in weights.available()}
    assert {"difference", "oh2018"} <= shipped.keys()
    for w in shipped.values():
        assert w.sha256 == hashlib.sha256(w.path.read_bytes()).hexdigest()
        assert w.path.stat().st_size < 6_000_000
        assert w.card["config"]
        assert w.card["steps"] > 0
        assert w.card["hardware"]
        network, card = weights.load(w.name)
        assert not network.training
        assert card == w.card


def test_default_is_shipped():
    assert weights.resolve("default").is_file()


def test_round_trip(tmp_path):
    network = weights.build("difference", {"quarter": 16, "context": 4})
    path = tmp_path / "small.safetensors"
    weights.save(path, network, {"model": "difference", "steps": 3})
    loaded, card = weights.load(path)
    assert card["steps"] == 3
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])


def test_not_a_weights_file(tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"not weights at all")
    with pytest.raises(ValueError, match=r"cannot read weights from .*broken\.safetensors"):
        weights.load(path)


def test_foreign_weights(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="holds no weights of napari-motionmag"):
        weights.load(path)


def test_weights_that_do_not_fit_their_config(tmp_path):
    path = tmp_path / "small.safetensors"
    weights.save(path, weights.build("difference", {"quarter": 16}), {"model": "difference"})
    card = weights.read_card(path)
    from json import dumps

    from safetensors.torch import load_file, save_file

    card["config"]["quarter"] = 32
    save_file(load_file(path), path, metadata={"card": dumps(card)})
    with pytest.raises(ValueError, match="do not fit"):
        weights.load(path)


def test_damaged_weights_are_refused(tmp_path):
    path = tmp_path / "small.safetensors"
    weights.save(path, weights.build("difference", {"quarter": 16}), {"model": "difference"})
    content = bytearray(path.read_bytes())
    content[-5] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(ValueError, match="are damaged"):
        weights.load(path)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"model must be one of \['default'.*got 'nonsense'"):
        weights.resolve("nonsense")
    with pytest.raises(ValueError, match="model must be one of"):
        weights.build("resnet")
    with pytest.raises(ValueError, match="config does not fit"):
        weights.build("difference", {"wdith": 3})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"half": -1}, r"half must be within 1 to 1024, got -1"),
        ({"quarter": 10**9}, r"quarter must be within 1 to 1024, got 1000000000"),
        ({"drawing": [32, 0, 64, 48]}, r"drawing must be within 1 to 1024"),
        ({"gate": float("nan")}, r"gate must be positive and finite"),
        ([32], r"config must be a dict, got \[32\]"),
    ],
)
def test_sizes_that_no_network_has_are_refused(tmp_path, config, message):
    path = tmp_path / "w.safetensors"
    weights.save(path, weights.build("difference", {"quarter": 16}), {"model": "difference"})
    _with_card(path, config=config)
    with pytest.raises(ValueError, match=message):
        weights.load(path)


def _with_card(path, **changes):
    from json import dumps

    from safetensors.torch import load_file, save_file

    card = weights.read_card(path) | changes
    save_file(load_file(path), path, metadata={"card": dumps(card)})


def test_a_card_with_an_origin_alone_is_listed(tmp_path, monkeypatch):
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path))
    card = {"model": "difference", "origin": "a friend"}
    weights.save(tmp_path / "w.safetensors", weights.build("difference", {"quarter": 16}), card)
    (found,) = weights.of_the_user()
    assert found.description == "difference, a friend; its license is not known"


def test_a_card_without_a_model_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.save(path, weights.build("difference", {"quarter": 16}), {"model": "difference"})
    _with_card(path, model=["difference"])
    with pytest.raises(ValueError, match="model must be one of"):
        weights.load(path)
    with pytest.raises(TypeError, match=r"model must be a name or the path .*got None"):
        weights.resolve(None)


def test_weights_of_another_precision_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    path = tmp_path / "w.safetensors"
    weights.save(path, weights.build("difference", {"quarter": 16}), {"model": "difference"})
    from safetensors import safe_open

    with safe_open(path, "np") as opened:
        header = opened.metadata()
    halved = {name: tensor.bfloat16() for name, tensor in load_file(path).items()}
    save_file(halved, path, metadata=header)
    with pytest.raises(ValueError, match=r"must be float32, got \['torch.bfloat16'\]"):
        weights.load(path)
