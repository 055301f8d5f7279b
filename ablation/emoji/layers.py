"""The two layers of the network: a convolution that halves a side, and its transpose, which doubles it.

Both are torch's own to the bit, forward. Their gradients are the same sums, taken in parts: of a transposed
convolution oneDNN finds the bias's by a pass as long as that of the weights, where a plain sum takes a
fiftieth; and of small maps the weights' gradient is one matrix product, which takes two thirds of the time.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

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


class _DownConv(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv2d(maps, weight, bias, stride=2, padding=1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps, weight = (saved.to(given.dtype) for saved in ctx.saved_tensors)  # of half, under autocast
        onto = conv2d_input(maps.shape, weight, given, stride=2, padding=1)
        return onto, _of_weights(maps, given), given.sum((0, 2, 3))


class _UpConv(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv_transpose2d(maps, weight, bias, stride=2, padding=1, output_padding=1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

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
