"""minigan: generative adversarial networks from scratch, every gradient written by hand."""
from minigan.backend import array_module, backend_module, to_device, to_host
from minigan.layer import Layer, Parameter, Sequential
from minigan.dense import Dense
from minigan.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from minigan.losses import (
    AdversarialLoss, Hinge, LeastSquares, Minimax, NonSaturating, Wasserstein,
    binary_cross_entropy_with_logits, mean_absolute_error, mean_squared_error)
from minigan.train import discriminator_step, generator_step
from minigan.differences import GradientError, numerical_gradient
from minigan.gradcheck import check_discriminator_step, check_generator_step, check_layer
from minigan.optimizers import SGD, Adam, RMSprop, clip_weights
from minigan.norm import BatchNorm, LayerNorm, SpectralNorm
from minigan.conv import Conv2D, ConvTranspose2D, fold, patches
from minigan.resample import AveragePool2D, MaxPool2D, Upsample2D
from minigan.noise import Dropout, GaussianNoise
from minigan.shape import Flatten, Reshape
from minigan.data import batches, load_mnist, read_idx, to_float
from minigan.digits import draw_digits
from minigan.run import Run, load_run
from minigan.checkpoint import load, save
from minigan.files import whole_file, writable_folder
from minigan.pictures import (
    image_grid, save_animation, save_curves, save_grid, save_samples)

__all__ = [
    "array_module", "backend_module", "to_device", "to_host",
    "Layer", "Parameter", "Sequential",
    "Dense", "LeakyReLU", "ReLU", "Sigmoid", "Tanh",
    "AdversarialLoss", "Hinge", "LeastSquares", "Minimax", "NonSaturating", "Wasserstein",
    "binary_cross_entropy_with_logits", "mean_absolute_error", "mean_squared_error",
    "discriminator_step", "generator_step",
    "GradientError", "numerical_gradient",
    "check_discriminator_step", "check_generator_step", "check_layer",
    "SGD", "Adam", "RMSprop", "clip_weights",
    "BatchNorm", "LayerNorm", "SpectralNorm",
    "Conv2D", "ConvTranspose2D", "fold", "patches",
    "AveragePool2D", "MaxPool2D", "Upsample2D",
    "Dropout", "GaussianNoise", "Flatten", "Reshape",
    "batches", "load_mnist", "read_idx", "to_float", "draw_digits",
    "Run", "load_run", "load", "save", "whole_file", "writable_folder",
    "image_grid", "save_animation", "save_curves", "save_grid", "save_samples",
]
