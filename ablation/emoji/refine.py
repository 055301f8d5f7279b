"""A refiner redraws what a trained decoder draws, so that it looks like a picture (report, part 3 c, 4).

It learns from the reconstructions of the run's own training pictures, after the autoencoder, whose weights
stay as they are. Both kinds are one network, with the same start, batches and steps. The plain one learns the
squared error from the real picture alone. The adversarial one also learns to deceive a discriminator of
patches, which is trained beside it and then thrown away. Grain is a control of both: it learns nothing.
"""

from collections.abc import Iterator
from itertools import chain, islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ablation.emoji.evaluate import evaluating
from ablation.emoji.model import IMAGE_SIZE, Autoencoder, Dropout, seeded
from ablation.emoji.seeds import generator
from ablation.emoji.spec import RefineSpec
from ablation.emoji.training_data import Pictures
from ablation.experiment import Diverged

WIDTH = 24  # channels at half of the size; twice as many at a quarter
BETAS = (0.5, 0.999)  # of both optimisers (Radford et al. 2016)
SLOPE = 0.2  # of the leaky ReLU (Radford et al. 2016)


class Refiner(nn.Module):
    """Pictures (n, 3, 64, 64) to pictures in [0, 1]: adds something to each, and cuts off what is too much.

    What is added is computed at three scales, which are enlarged before a convolution and not by one: else
    it has a grid of its own (Odena et al. 2016). At the start it is nothing.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Conv2d(3, width, 4, stride=2, padding=1), nn.ReLU())
        self.coarse = nn.Sequential(
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
        )
        self.join = nn.Sequential(
            nn.Conv2d(3 * width, width // 2, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)
        )
        self.leave = nn.Sequential(
            nn.Conv2d(width // 2 + 3, width // 2, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width // 2, 3, 3, padding=1),
        )
        for parameter in self.leave[2].parameters():
            nn.init.zeros_(parameter)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.unbounded(pictures).clamp(0, 1)

    def unbounded(self, pictures: Tensor) -> Tensor:
        """The sum before it is cut off: a value that is cut off has no gradient, and could not come back."""
        fine = self.enter(pictures)
        joined = self.join(torch.cat([fine, self.coarse(fine)], dim=1))
        added: Tensor = self.leave(torch.cat([pictures, joined], dim=1))
        return pictures + added


class Grain(nn.Module):
    """Pictures (n, 3, 64, 64) to pictures in [0, 1]: adds noise to each, and cuts off what is too much.

    The noise is normal, each value of it by itself, with the standard deviation `strength`. It is one and the
    same on every picture: so a picture is drawn alike whenever, and beside whatever else, it is drawn.
    """

    def __init__(self, strength: float, seed: int) -> None:
        super().__init__()
        drawn = torch.randn(3, IMAGE_SIZE, IMAGE_SIZE, generator=generator(seed, "refine", "grain"))
        self.noise: Tensor
        self.register_buffer("noise", strength * drawn)

    def forward(self, pictures: Tensor) -> Tensor:
        return (pictures + self.noise).clamp(0, 1)


class Discriminator(nn.Sequential):
    """Pictures (n, 3, 64, 64) to a number for each of their patches of 18 x 18 pixels: above 0 for real.

    Its layers are normalised by their spectral norm (Miyato et al. 2018), and it sees patches alone (Isola
    et al. 2017): so it judges edges and strokes, and cannot know a picture by heart.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__(
            spectral_norm(nn.Conv2d(3, width, 4, stride=2, padding=1)),
            nn.LeakyReLU(SLOPE),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(SLOPE),
            spectral_norm(nn.Conv2d(2 * width, 1, 3, padding=1)),
        )


def train_refiner(
    model: Autoencoder, pictures: Pictures, spec: RefineSpec, batch_size: int, seed: int
) -> Refiner:
    """A refiner of what the trained `model` draws, which learned from `pictures` alone; of a trained kind.

    Loss = mean squared error, and of an adversarial one + adversarial_weight x the hinge loss (Lim and Ye
    2017). The discriminator takes one step before each of the refiner's, on the same pictures. The
    reconstructions are drawn with dropout, as the network drew while it learned: without it those of
    training pictures are better than those of any other. `seed`: of all streams, which are its own. Raises
    `Diverged` where a weight is not finite at the end.
    """
    refiner = seeded(seed, "refiner", Refiner).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(refiner.parameters(), spec.lr, BETAS, fused=True)
    judge = seeded(seed, "discriminator", Discriminator).to(memory_format=torch.channels_last)
    teacher = torch.optim.Adam(judge.parameters(), spec.discriminator_lr, BETAS, fused=True)
    dropout = Dropout(model.dropout.probability, generator(seed, "refine", "dropout"))
    order = generator(seed, "refine", "order")
    for batch in islice(_batches(len(pictures), batch_size, order), spec.steps):
        real = pictures.pixels[batch] / 255
        with evaluating(model):
            drawn = model.decode(dropout(model.encode(real)))
        drawn = drawn.clone()  # what is made in inference mode takes no part in a gradient
        refined = refiner.unbounded(drawn)
        loss = F.mse_loss(refined, real)
        if spec.kind == "adversarial":
            shown = refined.clamp(0, 1)
            mistakes = F.relu(1 - judge(real)).mean() + F.relu(1 + judge(shown.detach())).mean()
            teacher.zero_grad()
            mistakes.backward()
            teacher.step()
            judge.requires_grad_(False)
            loss = loss - spec.adversarial_weight * judge(shown).mean()
            judge.requires_grad_(True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if not all(bool(one.isfinite().all()) for one in refiner.parameters()):
        raise Diverged(f"the refiner's weights are not finite: try a refine.lr below {spec.lr:g}.")
    return refiner.eval()


def _batches(count: int, size: int, order: torch.Generator) -> Iterator[Tensor]:
    """Places of the pictures of every step, pass by pass without end, each in a new order."""
    passes = iter(lambda: torch.randperm(count, generator=order).split(size), None)
    return chain.from_iterable(passes)
