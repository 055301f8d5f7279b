"""The network: the report's shapes, parts initialised apart, dropout from a stream of its own."""

import pytest
import torch
from torch import nn

from ablation.emoji.model import Autoencoder, DownConv, Dropout, UpConv
from ablation.emoji.protocols import joint
from ablation.emoji.seeds import generator
from ablation.emoji.spec import ModelSpec
from ablation.errors import UserError
from ablation.settings import vary

CHANNELS_LAST = torch.channels_last


def test_the_reports_network_has_its_shapes_and_size() -> None:
    model = Autoencoder(ModelSpec(), classes=2, seed=0)
    images = torch.rand(3, 3, 64, 64)
    output = model(images)
    assert model.encode(images).shape == (3, 128)
    assert output.reconstruction.shape == images.shape
    assert output.logits.shape == (3, 2)
    # 388,416 + 388,163 in the convolutions, 524,416 + 528,384 around the code, 258 in the classifier.
    assert sum(p.numel() for p in model.parameters()) == 1_829_637
    assert 0 <= output.reconstruction.min() <= output.reconstruction.max() <= 1


@pytest.mark.parametrize(
    "changes",
    [
        {"model.downsample": "max_pool"},
        {"model.activation": "gelu", "model.output": "linear"},
        {"model.channels": (8, 16)},
        {"model.latent_dim": 3},
    ],
)
def test_every_variant_mirrors_its_images(changes: dict[str, object]) -> None:
    model = Autoencoder(vary(joint, changes).model, classes=0, seed=0)
    output = model(torch.rand(2, 3, 64, 64))
    assert output.reconstruction.shape == (2, 3, 64, 64)
    assert output.logits is None


def torchs_own(layer: DownConv | UpConv) -> nn.Conv2d | nn.ConvTranspose2d:
    """Torch's layer of the same kind with the same weights."""
    inputs, outputs = layer.in_channels, layer.out_channels
    own = (
        nn.Conv2d(inputs, outputs, 3, 2, padding=1)
        if isinstance(layer, DownConv)
        else nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1)
    ).to(layer.weight.dtype)
    own.load_state_dict(layer.state_dict())
    return own


@pytest.mark.parametrize("kind", [DownConv, UpConv])
@pytest.mark.parametrize("side", [2, 4, 8, 16, 32])  # on both sides of `model.SMALL`
@pytest.mark.parametrize("last", [False, True])
def test_our_layers_are_torchs_own_with_the_same_gradients(kind: type, side: int, last: bool) -> None:
    ours = kind(5, 6).double()
    maps = torch.randn(3, 5, side, side, dtype=torch.float64)
    if last:
        ours, maps = ours.to(memory_format=CHANNELS_LAST), maps.to(memory_format=CHANNELS_LAST)
    maps.requires_grad_()
    torchs = torchs_own(ours)
    assert torch.equal(ours(maps), torchs(maps))
    given = torch.randn_like(ours(maps))
    found, wanted = (
        torch.autograd.grad(layer(maps), [maps, *layer.parameters()], given) for layer in (ours, torchs)
    )
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("kind", [DownConv, UpConv])
@pytest.mark.parametrize("side", [4, 8, 32])
@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
def test_in_the_precisions_of_training_too(kind: type, side: int, half: bool) -> None:
    ours = kind(32, 16).to(memory_format=CHANNELS_LAST)
    torchs = torchs_own(ours).to(memory_format=CHANNELS_LAST)
    maps = torch.randn(8, 32, side, side).to(memory_format=CHANNELS_LAST).requires_grad_()
    found = []
    for layer in (ours, torchs):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            out = torch.relu_(layer(maps))
        found.append([out, *torch.autograd.grad(out.float().square().mean(), [maps, *layer.parameters()])])
    tolerance = 0.02 if half else 1e-4
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        assert (a - b).abs().max() <= tolerance * b.abs().max()


def test_too_many_layers_are_refused() -> None:
    with pytest.raises(UserError, match="at most 6 layers"):
        Autoencoder(ModelSpec(channels=(1,) * 7), classes=0, seed=0)


def test_arms_that_differ_in_the_code_share_every_other_initial_weight() -> None:
    small, large = (Autoencoder(ModelSpec(latent_dim=n), 2, seed=1).state_dict() for n in (64, 128))
    shared = [name for name in small if name.startswith(("encoder", "decoder"))]
    assert len(shared) == 16
    assert all(torch.equal(small[name], large[name]) for name in shared)


def test_another_seed_gives_other_weights_and_torchs_own_stream_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    first, second = (Autoencoder(ModelSpec(), 0, seed).to_code.weight for seed in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    layer = Dropout(0.2, generator(0, "dropout"))
    codes = layer(torch.ones(200, 500))
    assert (codes == 0).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert codes.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(layer.eval()(torch.ones(2, 2)), torch.ones(2, 2))
