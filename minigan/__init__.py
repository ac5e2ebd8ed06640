"""minigan: generative adversarial networks from scratch, every gradient written by hand.

Read the files in this order: each imports only files above it, and backend.py. (flat.py, which is
behind optimizers.py, and checks.py, which refuses wrong arguments, nobody need read.)"""
# The first hour: what a GAN is, and how the gradient finds its way.
from minigan.train import discriminator_step, generator_step
from minigan.parameters import Parameter  # skip it at first
from minigan.layer import Layer, Sequential
from minigan.dense import Dense
from minigan.activations import LeakyReLU, ReLU, Shift, Sigmoid, Tanh
from minigan.losses import (
    LOSSES, AdversarialLoss, Hinge, LeastSquares, Minimax, NonSaturating, Wasserstein)

# The second: what a good one is made of.
from minigan.optimizers import SGD, Adam, RMSprop, clip_weights
from minigan.norm import BatchNorm, LayerNorm
from minigan.conv import Conv2D, ConvTranspose2D, fold, patches
from minigan.shape import Flatten, Reshape
from minigan.resample import AveragePool2D, MaxPool2D, Upsample2D
from minigan.noise import Dropout, GaussianNoise
from minigan.spectral_norm import SpectralNorm
from minigan.minibatch import MinibatchDeviation
from minigan.choice import Choice
from minigan.networks import NETWORKS, dcgan, mlp
from minigan.targets import (
    binary_cross_entropy_with_logits, cross_entropy_with_logits, mean_absolute_error,
    mean_squared_error)

# The third: gradients of gradients.
from minigan.given import Given
from minigan.penalties import GradientPenalty, R1Penalty, gradient_penalty, interpolate, r1_penalty

# NumPy or CuPy: every file may import it, and nobody need read it first.
from minigan.backend import array_module, to_device, to_host

__all__ = [name for name, thing in vars().items()  # all of the above; a module has a __spec__
           if not name.startswith("_") and not hasattr(thing, "__spec__")]


def __getattr__(name):
    """The four gradient checks are minigan's too; gradcheck is loaded when one is asked for."""
    if name in ("check_layer", "check_tangent", "check_discriminator_step", "check_generator_step"):
        from minigan import gradcheck
        return getattr(gradcheck, name)
    raise AttributeError(f"module 'minigan' has no attribute {name!r}")
