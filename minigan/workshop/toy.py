"""Toy data: Gaussians in the plane, where a GAN learns in seconds, and its failures can be seen."""
import numpy as np

from minigan.checks import check_array, check_settings


def ring(modes=8, radius=2.0):
    """Centres of Gaussians at equal distances on a circle, float32 (modes, 2)."""
    check_settings("ring", locals())
    angle = 2 * np.pi * np.arange(modes) / modes  # linspace(0, 2 pi, modes) would give 0 twice
    return (radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)


def grid(size=5, radius=4.0):
    """Centres of Gaussians in size rows and columns from -radius to radius, float32 (size^2, 2)."""
    check_settings("grid", locals())
    line = np.linspace(-radius, radius, size, dtype=np.float32)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def draw_points(centres, std, count, rng):
    """Points float32 (count, D): centres (K, D), drawn by the Generator rng, plus N(0, std^2)."""
    check_array("draw_points", "centres", centres, "K", "D")
    check_settings("draw_points", locals())
    rng = np.random.default_rng(rng)
    noise = rng.standard_normal((count, centres.shape[1]), np.float32)
    return centres[rng.integers(len(centres), size=count)] + np.float32(std) * noise
