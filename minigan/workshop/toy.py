"""Toy data: Gaussians in the plane, where a GAN learns in seconds, and its failures can be seen."""
import numpy as np


def ring(modes=8, radius=2.0):
    """Centres of Gaussians at equal distances on a circle, float32 (modes, 2)."""
    angle = 2 * np.pi * np.arange(modes) / modes  # linspace(0, 2 pi, modes) would give 0 twice
    return (radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)


def draw_points(centres, std, count, rng):
    """Points float32 (count, D): centres (K, D), drawn by the Generator rng, plus N(0, std^2)."""
    noise = rng.standard_normal((count, centres.shape[1]), np.float32)
    return centres[rng.integers(len(centres), size=count)] + np.float32(std) * noise
