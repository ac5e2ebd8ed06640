"""minigan: generative adversarial networks from scratch, every gradient written by hand."""
from minigan.backend import array_module, backend_module, to_device, to_host
from minigan.layer import Layer, Parameter, Sequential
from minigan.dense import Dense
from minigan.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from minigan.losses import (
    LOSSES, AdversarialLoss, Hinge, LeastSquares, Minimax, NonSaturating, Wasserstein,
    binary_cross_entropy_with_logits, cross_entropy_with_logits, mean_absolute_error,
    mean_squared_error)
from minigan.train import discriminator_step, generator_step
from minigan.gradcheck import (
    GradientError, check_discriminator_step, check_generator_step, check_layer, check_tangent,
    numerical_gradient)
from minigan.optimizers import SGD, Adam, RMSprop, clip_weights
from minigan.norm import BatchNorm, LayerNorm
from minigan.conv import Conv2D, ConvTranspose2D, fold, patches
from minigan.spectral_norm import SpectralNorm
from minigan.resample import AveragePool2D, MaxPool2D, Upsample2D
from minigan.noise import Dropout, GaussianNoise
from minigan.shape import Flatten, Reshape
from minigan.penalties import (
    GradientPenalty, R1Penalty, gradient_penalty, interpolate, r1_penalty)
from minigan.networks import NETWORKS, dcgan, mlp
from minigan.data import batches, cache_folder, load_mnist, read_idx, to_float
from minigan.digits import draw_digits
from minigan.run import Run, load_run
from minigan.checkpoint import load, save
from minigan.files import whole_file, writable_folder
from minigan.pictures import (
    image_grid, save_animation, save_curves, save_grid, save_samples)
from minigan.moving_average import MovingAverage
from minigan.metrics import (
    class_histogram, count_modes, frechet_distance, parzen_log_likelihood)

__all__ = [
    "array_module", "backend_module", "to_device", "to_host",
    "Layer", "Parameter", "Sequential",
    "Dense", "LeakyReLU", "ReLU", "Sigmoid", "Tanh",
    "LOSSES", "AdversarialLoss", "Hinge", "LeastSquares", "Minimax", "NonSaturating", "Wasserstein",
    "binary_cross_entropy_with_logits", "cross_entropy_with_logits", "mean_absolute_error",
    "mean_squared_error",
    "discriminator_step", "generator_step",
    "GradientError", "check_discriminator_step", "check_generator_step", "check_layer",
    "check_tangent", "numerical_gradient",
    "SGD", "Adam", "RMSprop", "clip_weights",
    "BatchNorm", "LayerNorm", "SpectralNorm",
    "Conv2D", "ConvTranspose2D", "fold", "patches",
    "AveragePool2D", "MaxPool2D", "Upsample2D",
    "Dropout", "GaussianNoise", "Flatten", "Reshape",
    "GradientPenalty", "R1Penalty", "gradient_penalty", "interpolate", "r1_penalty",
    "NETWORKS", "dcgan", "mlp",
    "batches", "cache_folder", "load_mnist", "read_idx", "to_float", "draw_digits",
    "Run", "load_run", "load", "save", "whole_file", "writable_folder",
    "image_grid", "save_animation", "save_curves", "save_grid", "save_samples",
    "MovingAverage", "class_histogram", "count_modes", "frechet_distance", "parzen_log_likelihood",
]
