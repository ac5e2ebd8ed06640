"""From noise to images, and from a checkpoint to its generator."""
import numpy as np

from minigan.backend import to_device, to_host
from minigan.checks import check_array, check_settings
from minigan.networks import NETWORKS
from minigan.workshop.checkpoint import check_state, load_with_arguments
from minigan.workshop.files import whole_file
from minigan.workshop.moving_average import MovingAverage


def draw_noise(rng, count, latent_dim, backend="numpy"):
    """z ~ N(0, 1), float32 (count, latent_dim), drawn on the host: all backends see the same."""
    check_settings("draw_noise", locals())
    rng = np.random.default_rng(rng)
    return to_device(rng.standard_normal((count, latent_dim), np.float32), backend)


def draw_images(generator, z):
    """What a generator makes of z (N, latent_dim): float32 (N, 28, 28) in [0, 1], on the host."""
    check_array("draw_images", "z", z, "N", "latent_dim")
    x = np.concatenate([to_host(generator(z[i:i + 500])) for i in range(0, len(z), 500)])
    return (x[..., 0] + 1) / 2


def load_generator(path, last=False):
    """The generator in a checkpoint of mnist_gan.py, and its latent_dim. It is the moving average
    if there is one, unless `last` asks for the weights of the last step.
    Raises FileNotFoundError if there is no such file, ValueError if it is something else."""
    defaults = {"arch": "mlp", "networks": "mlp", "latent_dim": 100, "width": 1, "average": 0.0}
    saved, arguments = load_with_arguments(path, defaults)
    networks = arguments.get("networks", arguments.get("arch", "mlp"))
    latent_dim = arguments.get("latent_dim", 100)
    if networks not in NETWORKS:
        raise ValueError(f"{path} is a checkpoint of another program: it names no networks of ours")
    width = {"width": arguments["width"]} if "width" in arguments else {}
    generator, _ = NETWORKS[networks](latent_dim, rng=0, **width)
    averaged = arguments.get("average") and not last
    name, part = ("average", MovingAverage(generator)) if averaged else ("generator", generator)
    check_state(saved.get(name), part.state_dict(), f"{path}: {name}")
    part.load_state_dict(saved[name])
    return part.network if averaged else generator, latent_dim


def generate(path, count, seed=0, last=False, backend="numpy"):
    """`count` images, as draw_images makes them, of the generator in a checkpoint."""
    generator, latent_dim = load_generator(path, last)
    rng = np.random.default_rng(seed)
    return draw_images(generator.to(backend), draw_noise(rng, count, latent_dim, backend))


def save_samples(path, images):
    """Writes images as the member "images", float32 (N, H, W), of an .npz file."""
    check_array("save_samples", "images", images, "N", "H", "W")
    with whole_file(path) as part, open(part, "wb") as file:
        np.savez_compressed(file, images=images.astype(np.float32))
