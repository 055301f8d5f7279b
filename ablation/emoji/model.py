"""The report's network (parts 1 b, 2 b): a convolutional autoencoder, a linear classifier on its code."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from ablation.emoji.layers import DownConv, UpConv
from ablation.emoji.spec import ModelSpec
from ablation.errors import UserError
from ablation.seeds import derive, generator

IMAGE_SIZE = 64  # pixels a side
Part = TypeVar("Part", bound=nn.Module)
# ReLU over what it is given, which nobody else reads: a write of every map less.
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
}


class Output(NamedTuple):
    """reconstruction: (n, 3, 64, 64); logits: (n, classes), or None without classes."""

    reconstruction: Tensor
    logits: Tensor | None


class Autoencoder(nn.Module):
    """encode: images to codes (n, latent_dim); decode: codes to images; classifier: codes to logits.

    Every part is initialised from a stream of its own, so that two models that differ in one
    part have equal weights in the others, and dropout draws from a stream of its own. Under autocast the
    layers compute in half precision; codes, images and logits are float32 all the same, and so is what is
    done to them: a sigmoid in bfloat16 has no gradient near white.
    """

    def __init__(self, spec: ModelSpec, classes: int, seed: int) -> None:
        super().__init__()
        self.side = IMAGE_SIZE >> len(spec.channels)
        if self.side < 1:
            raise UserError(
                f"model.channels wants at most {IMAGE_SIZE.bit_length() - 1} layers, since each halves an "
                f"image of {IMAGE_SIZE} pixels, but got {len(spec.channels)}."
            )
        self.deepest = spec.channels[-1]
        flat = self.deepest * self.side**2
        self.encoder = _seeded(seed, "encoder", lambda: _encoder(spec))
        self.to_code = _seeded(seed, "to_code", lambda: nn.Linear(flat, spec.latent_dim))
        self.dropout = Dropout(spec.dropout, generator(seed, "dropout"))
        self.from_code = _seeded(seed, "from_code", lambda: nn.Linear(spec.latent_dim, flat))
        self.decoder = _seeded(seed, "decoder", lambda: _decoder(spec))
        self.output = nn.Sigmoid() if spec.output == "sigmoid" else nn.Identity()
        self.classifier = (
            _seeded(seed, "classifier", lambda: nn.Linear(spec.latent_dim, classes)) if classes else None
        )

    def encode(self, images: Tensor) -> Tensor:
        """Images, float32 (n, 3, 64, 64) in [0, 1], to codes (n, latent_dim)."""
        code: Tensor = self.to_code(self.encoder(images).flatten(1))
        return code.float()

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (n, latent_dim) to images (n, 3, 64, 64)."""
        maps = self.from_code(codes).unflatten(1, (self.deepest, self.side, self.side))
        images: Tensor = self.output(self.decoder(maps).float())
        return images

    def forward(self, images: Tensor, isolate: bool = False, mask: Tensor | None = None) -> Output:
        """Images (n, 3, 64, 64) to `Output`; `isolate` stops the gradient of the logits at the code.

        `mask`, (n, latent_dim), is dropout's, where it was drawn already (`Dropout.mask`).
        """
        code = self.dropout(self.encode(images), mask)
        seen = code.detach() if isolate else code
        return Output(self.decode(code), self.classifier(seen).float() if self.classifier else None)


class Dropout(nn.Module):
    """Dropout that draws from a generator of its own: torch's draws from the global stream."""

    def __init__(self, probability: float, rng: torch.Generator) -> None:
        super().__init__()
        self.probability, self.rng = probability, rng

    def forward(self, codes: Tensor, mask: Tensor | None = None) -> Tensor:
        if not self.training or self.probability == 0:
            return codes
        kept = self.mask(*codes.shape).to(codes.device) if mask is None else mask
        return codes * kept / (1 - self.probability)

    def mask(self, count: int, width: int) -> Tensor:
        """Which values of codes (count, width) are kept: 1, or 0 with the probability; nothing drawn at 0."""
        if self.probability == 0:
            return torch.ones(count, width)
        return torch.empty(count, width).bernoulli_(1 - self.probability, generator=self.rng)


def _encoder(spec: ModelSpec) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise((3, *spec.channels)):
        pooled = spec.downsample == "max_pool"
        layers += [
            nn.Conv2d(inputs, outputs, 3, padding=1) if pooled else DownConv(inputs, outputs),
            _ACTIVATIONS[spec.activation](),
        ]
        if pooled:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _decoder(spec: ModelSpec) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise((*reversed(spec.channels), 3)):
        layers += [UpConv(inputs, outputs), _ACTIVATIONS[spec.activation]()]
    return nn.Sequential(*layers[:-1])  # what comes out of the last is `Autoencoder.output`'s to bound


def _seeded(seed: int, part: str, make: Callable[[], Part]) -> Part:
    """`make()` with torch's own initialisation, drawn from the stream ("init", part) alone."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(derive(seed, "init", part))
        return make()
