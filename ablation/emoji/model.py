"""The report's network (parts 1 b, 2 b): a convolutional autoencoder, a linear classifier on its code."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

from ablation.emoji.seeds import generator
from ablation.emoji.spec import ModelSpec
from ablation.errors import UserError
from ablation.seeds import derive

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
    """reconstruction: (n, 3, 64, 64); logits: (n, classes), or None without classes; code: (n, latent_dim),
    before dropout.
    """

    reconstruction: Tensor
    logits: Tensor | None
    code: Tensor


class Autoencoder(nn.Module):
    """encode: images to codes (n, latent_dim); decode: codes to images; classifier: codes to logits.

    Every part is initialised from a stream of its own, so that two models that differ in one
    part have equal weights in the others, and dropout draws from a stream of its own. Under autocast the
    layers compute in half precision; codes, images and logits are float32 all the same, and so is what is
    done to them: a sigmoid in bfloat16 has no gradient near white.

    refiner: what redraws every decoded image, in a run that has one once the rest is trained (`refine`).
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
        self.encoder = seeded(seed, "encoder", lambda: _encoder(spec))
        self.to_code = seeded(seed, "to_code", lambda: nn.Linear(flat, spec.latent_dim))
        self.dropout = Dropout(spec.dropout, generator(seed, "dropout"))
        self.from_code = seeded(seed, "from_code", lambda: nn.Linear(spec.latent_dim, flat))
        self.decoder = seeded(seed, "decoder", lambda: _decoder(spec))
        self.output = nn.Sigmoid() if spec.output == "sigmoid" else nn.Identity()
        self.classifier = (
            seeded(seed, "classifier", lambda: nn.Linear(spec.latent_dim, classes)) if classes else None
        )
        self.refiner: nn.Module | None = None

    def encode(self, images: Tensor) -> Tensor:
        """Images, float32 (n, 3, 64, 64) in [0, 1], to codes (n, latent_dim)."""
        code: Tensor = self.to_code(self.encoder(images).flatten(1))
        return code.float()

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (n, latent_dim) to images (n, 3, 64, 64)."""
        maps = self.from_code(codes).unflatten(1, (self.deepest, self.side, self.side))
        images: Tensor = self.output(self.decoder(maps).float())
        return images if self.refiner is None else self.refiner(images)

    def forward(self, images: Tensor, isolate: bool = False, mask: Tensor | None = None) -> Output:
        """Images (n, 3, 64, 64) to `Output`; `isolate` stops the gradient of the logits at the code.

        `mask`, (n, latent_dim), is dropout's, where it was drawn already (`Dropout.mask`).
        """
        encoded = self.encode(images)
        code = self.dropout(encoded, mask)
        seen = code.detach() if isolate else code
        logits = self.classifier(seen).float() if self.classifier else None
        return Output(self.decode(code), logits, encoded)


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


def seeded(seed: int, part: str, make: Callable[[], Part]) -> Part:
    """`make()` with torch's own initialisation, drawn from the stream ("init", part) alone."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(derive(seed, "init", part))
        return make()


# The two layers of the network: a convolution that halves a side, and its transpose, which doubles it.
# Forward both are torch's own to the bit. Their gradients are the same sums, taken in parts, which saves
# about a tenth of a training step (docs/decisions/0028-what-earns-its-place.md): oneDNN finds the gradient of
# a transposed convolution's bias by a pass as long as that of the weights, where a sum takes a fiftieth; and
# of small maps the weights' gradient is one matrix product, in two thirds of the time.

SMALL = 8  # pixels a side of the larger maps: up to here the product is faster


class DownConv(nn.Conv2d):
    """Maps (n, inputs, 2 s, 2 s) to (n, outputs, s, s): kernel 3, stride 2, padding 1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        if maps.shape[-1] > SMALL:
            return super().forward(maps)
        narrow: Tensor = _DownConv.apply(maps, self.weight, self.bias)
        return narrow


class UpConv(nn.ConvTranspose2d):
    """Maps (n, inputs, s, s) to (n, outputs, 2 s, 2 s): kernel 3, stride 2, padding 1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1, output_padding=1)

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        wide: Tensor = _UpConv.apply(maps, self.weight, self.bias)
        return wide


class _Conv(Function):
    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])


class _DownConv(_Conv):
    @staticmethod
    def forward(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv2d(maps, weight, bias, stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps, weight = (saved.to(given.dtype) for saved in ctx.saved_tensors)  # of half, under autocast
        onto = conv2d_input(maps.shape, weight, given, stride=2, padding=1)
        return onto, _of_weights(maps, given), given.sum((0, 2, 3))


class _UpConv(_Conv):
    @staticmethod
    def forward(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv_transpose2d(maps, weight, bias, stride=2, padding=1, output_padding=1)

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps, weight = (saved.to(given.dtype) for saved in ctx.saved_tensors)
        # Channels last, as all maps are but the gradient of a mean squared error; by axes, for vmap.
        given = given.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        onto = F.conv2d(given, weight, stride=2, padding=1)
        # The transpose of the convolution that takes `given` to `maps`: their roles change.
        return onto, _of_weights(given, maps), given.sum((0, 2, 3))


def _of_weights(large: Tensor, small: Tensor) -> Tensor:
    """The gradient (outputs, inputs, 3, 3) of the weights of a convolution from `large` to `small`.

    large, (n, inputs, 2 s, 2 s), and small, (n, outputs, s, s): of the two one is maps, the other a gradient.
    """
    outputs, inputs, side = small.shape[1], large.shape[1], small.shape[-1]
    if large.shape[-1] > SMALL:
        whole: Tensor = conv2d_weight(large, (outputs, inputs, 3, 3), small, stride=2, padding=1)
        return whole
    padded = F.pad(large.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    steps = [slice(first, first + 2 * side, 2) for first in range(3)]
    patches = torch.stack([padded[:, down, across] for down in steps for across in steps], dim=3)
    product = small.permute(0, 2, 3, 1).reshape(-1, outputs).T @ patches.reshape(-1, 9 * inputs)
    return product.view(outputs, 3, 3, inputs).permute(0, 3, 1, 2)
