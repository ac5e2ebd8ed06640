"""The same networks and training in PyTorch: what minigan is measured against.

It is written as PyTorch is meant to be used, eagerly and channels first, and does the same work as
minigan's two steps and no more: D's step makes x_fake without a graph, and G's step computes no
gradients of D's weights. The gradient penalty is the usual one, by create_graph=True; that autograd
then also carries zeros back, where dy is None in minigan, is how it works.
"""
import math
import os
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn.functional import softplus

from minigan import (
    BatchNorm, Conv2D, ConvTranspose2D, Dense, Flatten, LeakyReLU, NonSaturating, ReLU, Reshape,
    Sequential, Tanh, Wasserstein)

# TF32 is off in CuPy, too (steps.py); cuDNN would use it by default.
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

LOSSES = {  # of D, of G
    NonSaturating: (lambda s_real, s_fake: softplus(-s_real).mean() + softplus(s_fake).mean(),
                    lambda s_fake: softplus(-s_fake).mean()),
    Wasserstein: (lambda s_real, s_fake: s_fake.mean() - s_real.mean(),
                  lambda s_fake: -s_fake.mean())}


class PyTorch:
    """The PyTorch side; workloads.Minigan is its twin."""

    device = "cpu"
    fused = None  # Adam as PyTorch chooses it

    def __init__(self, generator, discriminator, workload):
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
        weights = generator.layers[0].W.value
        z = np.zeros((2, len(weights)), weights.dtype)
        self.generator = to_torch(generator, z).to(self.device)
        self.discriminator = to_torch(discriminator, generator(z)).to(self.device)
        self.loss_d, self.loss_g = LOSSES[workload.loss]
        self.penalty, self.rng = workload.penalty, np.random.default_rng(3)
        lr, *betas = workload.adam
        self.adam_g, self.adam_d = (
            torch.optim.Adam(network.parameters(), lr, betas, fused=self.fused)
            for network in (self.generator, self.discriminator))

    @staticmethod
    def wait():
        pass

    @classmethod
    def array(cls, x):
        x = np.moveaxis(x, -1, 1).copy() if x.ndim == 4 else x
        return torch.from_numpy(x).to(cls.device)

    def step(self, batches, z):
        return [*(self.discriminator_step(*batch) for batch in batches), self.generator_step(z)]

    def discriminator_step(self, x_real, z):
        with torch.no_grad():
            x_fake = self.generator(z)
        loss = self.loss_d(self.discriminator(x_real), self.discriminator(x_fake))
        if self.penalty:
            loss = loss + self.gradient_penalty(x_real, x_fake)
        self.adam_d.zero_grad()
        loss.backward()
        self.adam_d.step()
        return loss.detach()

    def gradient_penalty(self, x_real, x_fake):
        t = torch.from_numpy(self.rng.random((len(x_real), 1, 1, 1), np.float32)).to(x_real)
        x = torch.lerp(x_real, x_fake, t).requires_grad_()
        s = self.discriminator(x)
        [g] = torch.autograd.grad(s, x, torch.ones_like(s), create_graph=True)
        return self.penalty * (g.flatten(1).norm(dim=1) - 1).square().mean()

    def generator_step(self, z):
        self.discriminator.requires_grad_(False)
        loss = self.loss_g(self.discriminator(self.generator(z)))
        self.adam_g.zero_grad()
        loss.backward()
        self.adam_g.step()
        self.discriminator.requires_grad_(True)
        return loss.detach()

    @classmethod
    def passes(cls, layer, x, dy):
        module = to_torch(Sequential(layer), x)[0].to(cls.device)
        x, dy = cls.array(x).requires_grad_(), cls.array(dy)
        backward = partial(torch.autograd.grad, module(x), [x, *module.parameters()], dy,
                           retain_graph=True)
        return partial(module, x), backward


class PyTorchOnGPU(PyTorch):
    """The twin of workloads.MiniganOnGPU."""

    device = "cuda"
    wait = staticmethod(torch.cuda.synchronize)
    gpu_memory = staticmethod(torch.cuda.max_memory_reserved)


SIDES = {"PyTorch": PyTorch, "PyTorch on GPU": PyTorchOnGPU}
SIDES |= {f"{name}, fused Adam": type(side.__name__, (side,), {"fused": True})  # the fastest Adam
          for name, side in SIDES.items()}


def to_torch(network, x):
    """The Sequential `network` as a torch.nn.Sequential with copies of its weights; x: any input.

    PyTorch's images lie channels first, so their numbers have another order once they are flat.
    Dense and BatchNorm get their weights in that order: no image is ever transposed, and PyTorch
    does nothing that a network written for it would not do. Raises TypeError for other layers.
    """
    modules, order = [], slice(None)  # PyTorch's flat features are minigan's features[order]
    for i, layer in enumerate(network.layers):
        arrays = ()  # weight, bias
        if isinstance(layer, Dense):
            order_in, order = order, order_wanted(network.layers[i + 1:])
            module = nn.Linear(layer.in_features, layer.out_features)
            arrays = layer.W.value[order_in][:, order].T, layer.b.value[order]
        elif isinstance(layer, Conv2D):
            module = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size,
                               layer.stride, layer.padding)
            arrays = layer.W.value.transpose(3, 2, 0, 1), layer.b.value
        elif isinstance(layer, ConvTranspose2D):
            module = nn.ConvTranspose2d(layer.in_channels, layer.out_channels, layer.kernel_size,
                                        layer.stride, layer.padding, layer.output_padding)
            arrays = layer.W.value.transpose(0, 3, 1, 2), layer.b.value
        elif isinstance(layer, BatchNorm):
            norm = nn.BatchNorm1d if x.ndim == 2 else nn.BatchNorm2d
            module = norm(layer.num_features, layer.eps, 1 - layer.momentum)
            arrays = layer.gamma.value[order], layer.beta.value[order]
        elif isinstance(layer, Flatten):
            module, order = nn.Flatten(), channels_first(x.shape[1:])
        elif isinstance(layer, Reshape):
            height, width, channels = layer.shape
            module, order = nn.Unflatten(1, (channels, height, width)), slice(None)
        elif isinstance(layer, LeakyReLU):
            module = nn.LeakyReLU(layer.negative_slope)
        elif isinstance(layer, (ReLU, Tanh)):
            module = nn.ReLU() if isinstance(layer, ReLU) else nn.Tanh()
        else:
            raise TypeError(f"{layer} has no translation here")
        for parameter, array in zip(module.parameters(), arrays):
            parameter.data = torch.from_numpy(array.copy())
        modules.append(module)
        x, _ = layer.forward(x, train=False)
    return nn.Sequential(*modules).to(torch.from_numpy(x).dtype)


def channels_first(shape):
    """Indices into a flat (H, W, C) image that bring it into the order of a flat (C, H, W) one."""
    return np.moveaxis(np.arange(math.prod(shape)).reshape(shape), -1, 0).ravel()


def order_wanted(layers):
    """The order in which `layers`, which follow a Dense, want its features."""
    for layer in layers:
        if isinstance(layer, Reshape):
            return channels_first(layer.shape)
        if isinstance(layer, Dense):
            break
    return slice(None)
