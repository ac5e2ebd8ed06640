"""Pictures of a training: grids of samples, curves of its log, an animation of its grids.

Images are float (N, H, W) in [0, 1]. matplotlib, which draws, is imported only if need be."""
import math

import numpy as np

from minigan.checks import check_array, check_settings
from minigan.workshop.files import whole_file


def image_grid(images, columns=8, gap=2):
    """Lays images (N, H, W) row by row into one array, with a grey gap between them."""
    check_array("image_grid", "images", images, "N", "H", "W")
    check_settings("image_grid", locals())
    columns = min(columns, len(images))
    missing = math.ceil(len(images) / columns) * columns - len(images)  # in the last row
    cells = np.pad(images.astype(float), [(0, missing), (0, gap), (0, gap)], constant_values=0.25)
    rows = cells.reshape(-1, columns, *cells.shape[1:]).swapaxes(1, 2)  # (rows, H, columns, W)
    grid = rows.reshape(rows.shape[0] * rows.shape[1], -1)
    return grid[:len(grid) - gap, :grid.shape[1] - gap]


def save_grid(path, images, columns=8, zoom=3):
    """Writes image_grid(images) as a PNG, each pixel as zoom x zoom."""
    from matplotlib.image import imsave
    check_settings("save_grid", locals())
    grid = image_grid(images, columns).repeat(zoom, axis=0).repeat(zoom, axis=1)
    with whole_file(path) as part:
        imsave(part, grid, cmap="gray", vmin=0, vmax=1, format="png")


def save_rows(path, rows):
    """rows: {words: images (N, 28, 28) in [0, 1]}, drawn one below the other beside their words."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(10, len(rows) * 0.75), layout="constrained")
    for axes, (words, images) in zip(figure.subplots(len(rows), 1), rows.items()):
        axes.imshow(image_grid(images, columns=len(images)), cmap="gray", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.set_ylabel(words, rotation=0, ha="right", va="center")
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=120)


def save_curves(path, history, columns, steps_per_epoch):
    """Writes draw_curves(history, columns, steps_per_epoch) as a PNG."""
    with whole_file(path) as part:
        draw_curves(history, columns, steps_per_epoch).savefig(part, format="png", dpi=120)


def draw_curves(history, columns, steps_per_epoch):
    """A Figure of history, (steps, columns), against epochs: the losses above, the rest below.
    Pale lines are single steps, strong ones running means over a hundredth of the run."""
    from matplotlib.figure import Figure
    history = np.asarray(history)
    figure = Figure(figsize=(8, 6), layout="constrained")
    losses, others = figure.subplots(2, 1, sharex=True)
    window = max(1, len(history) // 100)
    epochs = np.arange(1, len(history) + 1) / steps_per_epoch
    for index, (label, values) in enumerate(zip(columns, history.T)):
        axes, color = losses if label.endswith("loss") else others, f"C{index}"
        smooth = np.convolve(values, np.full(window, 1 / window), "valid")
        axes.plot(epochs, values, color, alpha=0.25, linewidth=0.5)
        axes.plot(epochs[window - 1:], smooth, color, label=label)
    for axes, title in [(losses, "Losses"), (others, "What the discriminator says")]:
        axes.set_title(title)
        axes.legend()
        axes.grid(alpha=0.3)
    others.set_xlabel("epoch")
    return figure


def save_animation(path, pictures, seconds_per_picture=0.4):
    """Makes PNG files of one size into a GIF, which shows the last one five times as long. Of more
    than 60 it shows 60, evenly chosen, the first and the last among them."""
    from PIL import Image  # which matplotlib needs, so it is there
    pictures = list(pictures)
    if not pictures:
        raise ValueError("save_animation takes one or more pictures, got none")
    chosen = np.linspace(0, len(pictures) - 1, min(60, len(pictures))).round().astype(int)
    frames = [Image.open(pictures[index]).convert("L") for index in chosen]
    duration = round(1000 * seconds_per_picture)  # in ms
    with whole_file(path) as part:
        frames[0].save(part, format="GIF", save_all=True, append_images=frames[1:], loop=0,
                       duration=[duration] * (len(frames) - 1) + [5 * duration])
