"""What a training needs besides gradients: data, runs that lose nothing, pictures, and measures.

The core (minigan/*.py) imports nothing of this."""
from minigan.workshop.checkpoint import check_state, load, save
from minigan.workshop.command import at_least, keep_freed_memory, one_line_errors, require
from minigan.workshop.data import (
    batches, cache_folder, load_mnist, read_idx, to_float, training_images)
from minigan.workshop.digits import draw_digits
from minigan.workshop.files import locked_folder, whole_file, writable_folder
from minigan.workshop.gallery import labelled_digits, page, progress
from minigan.workshop.judge import Judge, class_shares, train_classifier
from minigan.workshop.metrics import count_modes, frechet_distance, parzen_log_likelihood
from minigan.workshop.moving_average import MovingAverage
from minigan.workshop.parallel import Processes, many_processes
from minigan.workshop.pictures import (
    image_grid, save_animation, save_curves, save_grid, save_rows)
from minigan.workshop.run import Run, load_run
from minigan.workshop.samples import draw_images, draw_noise, generate, load_generator, save_samples
from minigan.workshop.toy import draw_points, grid, ring
