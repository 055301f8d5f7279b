"""Pictures that are changed a little so that the network names their class wrongly, and noise of that size.

The attacks are those of the library torchattack (docs/decisions/0046-adversarial.md). A change of strength s
moves no value of a picture by more than s, where black is 0 and white is 1.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from math import ceil

import torch
from torch import Tensor, nn

from ablation.emoji.common_evaluation import moods_named, moods_of
from ablation.emoji.data.images import Images
from ablation.emoji.evaluate import BATCH, PerPicture
from ablation.emoji.extra import check_attacks
from ablation.emoji.measures import ROBUST
from ablation.emoji.model import Autoencoder
from ablation.emoji.seeds import generator
from ablation.emoji.spec import AugmentSpec

PACE = 2.5  # steps of PGD are so long that together they go so many times the strength (Madry et al. 2018)
JUDGING_STEPS = 20  # of PGD where a trained network is measured


class Classifier(nn.Module):
    """The classifier of `model` on pictures, (n, 3, 64, 64), without the decoder: logits of its classes.

    With `says`, (classes, answers), 1 where a class means an answer and else 0: logits of the answers, the
    logarithms of the summed odds.
    """

    def __init__(self, model: Autoencoder, says: Tensor | None = None) -> None:
        super().__init__()
        self.model, self.says = model, says

    def forward(self, images: Tensor) -> Tensor:
        assert self.model.classifier is not None
        logits: Tensor = self.model.classifier(self.model.encode(images))
        return logits if self.says is None else (logits[:, :, None] + self.says.log()).logsumexp(1)


def attack_batch(
    model: Autoencoder, images: Tensor, labels: Tensor, spec: AugmentSpec, rng: torch.Generator
) -> Tensor:
    """What the network sees of a batch in place of its pictures: the first of them attacked, as `spec` says.

    The order of a batch is random, so which pictures are first is too. images, labels: as in `attacked`, by
    which a picture without a class stays as it is, but for noise. The attack is on the classifier's
    cross-entropy alone, and on the network as it is at this step.

    What it costs: an optimiser step is one gradient of every picture of the batch. Beside it FGSM takes one
    more gradient, through the encoder only, of each picture that it attacks, PGD `attack_steps` more, and
    noise none. Arms of equal steps are not equal in computing time.
    """
    if spec.attack == "none":
        return images
    first = torch.arange(len(images)) < ceil(spec.attack_share * len(images))
    chosen = first if spec.attack == "noise" else first & (labels >= 0)
    seen = images.clone()
    if chosen.any():
        kind, strength, steps = spec.attack, spec.attack_strength, spec.attack_steps
        seen[chosen] = attacked(Classifier(model), images[chosen], labels[chosen], kind, strength, steps, rng)
    return seen


def attacked(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    kind: str,
    strength: float,
    steps: int,
    rng: torch.Generator,
) -> Tensor:
    """`images`, float32 (n, 3, 64, 64) in [0, 1], each value moved by at most `strength` within [0, 1].

    fgsm: by `strength` along the sign of the gradient of the cross-entropy with `labels`, int64 (n,), none
    below 0 (Goodfellow et al. 2015). pgd: from a random start `steps` such moves, each of `PACE` x
    `strength` / `steps` and then brought back (Madry et al. 2018). noise: by `strength`, up or down at
    random, without a gradient. Gradients are those without dropout. Nothing is drawn but from `rng`, and the
    network keeps its mode and its gradients. Raises `UserError` where the library is not installed.
    """
    if kind == "noise":
        signs = torch.randint(0, 2, images.shape, generator=rng) * 2 - 1
        return (images + strength * signs).clamp(0, 1)
    check_attacks()
    # Here and not above: it brings torchvision and scipy, which take seconds that other runs need not wait.
    import torchattack

    device = images.device
    attack = (
        torchattack.FGSM(classifier, device=device, eps=strength)
        if kind == "fgsm"
        else torchattack.PGD(
            classifier, device=device, eps=strength, steps=steps, alpha=PACE * strength / steps
        )
    )
    with _fixed(classifier.model), torch.enable_grad(), torch.random.fork_rng(devices=()):
        # PGD draws its start from torch's global stream.
        torch.manual_seed(int(torch.randint(2**62, (), generator=rng)))
        found: Tensor = attack(images, labels)
    return found.detach().clamp(0, 1)  # it adds the change to the picture, which can round past white


@contextmanager
def _fixed(model: Autoencoder) -> Iterator[None]:
    """Without dropout, and with gradients of pictures alone; back to what was before."""
    mode, learned = model.training, [one for one in model.parameters() if one.requires_grad]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        for one in learned:
            one.requires_grad_(True)
        model.train(mode)


def measure_robustness(
    model: Autoencoder, images: Images, index: Tensor, scheme: str, asked: Collection[str], seed: int
) -> dict[str, PerPicture]:
    """Whether each face of `index` is named happy or sad rightly though it is attacked, by `ROBUST` measure.

    Only those that are `asked`. The attack knows the trained network and the right mood (white box), and
    minimises the odds of that mood, by the classes of `scheme`. `seed`: of the attacks' own streams.
    """
    found = {}
    truth, says = moods_of(images, index, scheme)
    classifier = Classifier(model, says)
    for name, (kind, strength) in ROBUST.items():
        if name not in asked or not len(index):
            continue
        rng = generator(seed, "attack", name)
        parts = zip((images.pixels[index] / 255).split(BATCH), truth.split(BATCH), strict=True)
        seen = [attacked(classifier, *part, kind, strength, JUDGING_STEPS, rng) for part in parts]
        found[name] = moods_named(model, torch.cat(seen), index, truth, says)
    return found
