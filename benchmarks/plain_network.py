"""The report's network (parts 1 b, 2 b) in torch's own layers: what the plain ways train."""

from itertools import pairwise

from torch import Tensor, nn

from ablation.emoji.model import IMAGE_SIZE, Output
from ablation.emoji.spec import ModelSpec


class PlainAutoencoder(nn.Module):
    """The same layers by the same names as `Autoencoder`, whose weights fit it; ReLU and sigmoid alone."""

    def __init__(self, spec: ModelSpec, classes: int) -> None:
        super().__init__()
        self.maps = spec.channels[-1], IMAGE_SIZE >> len(spec.channels), IMAGE_SIZE >> len(spec.channels)
        flat = self.maps[0] * self.maps[1] * self.maps[2]
        down: list[nn.Module] = []
        for inputs, outputs in pairwise((3, *spec.channels)):
            down += [nn.Conv2d(inputs, outputs, 3, 2, padding=1), nn.ReLU()]
        up: list[nn.Module] = []
        for inputs, outputs in pairwise((*reversed(spec.channels), 3)):
            up += [nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1), nn.ReLU()]
        self.encoder = nn.Sequential(*down)
        self.to_code = nn.Linear(flat, spec.latent_dim)
        self.dropout = nn.Dropout(spec.dropout)
        self.from_code = nn.Linear(spec.latent_dim, flat)
        self.decoder = nn.Sequential(*up[:-1])
        self.classifier = nn.Linear(spec.latent_dim, classes)

    def forward(self, images: Tensor, isolate: bool = False) -> Output:
        """Images (n, 3, 64, 64) to `Output`; `isolate` stops the gradient of the logits at the code."""
        code = self.dropout(self.to_code(self.encoder(images).flatten(1)))
        logits = self.classifier(code.detach() if isolate else code)
        return Output(self.decoder(self.from_code(code).unflatten(1, self.maps)).sigmoid(), logits)
