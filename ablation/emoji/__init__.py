"""The report's experiment: its data, its network, its training and its composites."""

from ablation.emoji.protocols import STEPS as STEPS
from ablation.emoji.protocols import autoencoder as autoencoder
from ablation.emoji.protocols import composed as composed
from ablation.emoji.protocols import joint as joint
from ablation.emoji.spec import RunSpec as RunSpec
from ablation.settings import vary as vary
