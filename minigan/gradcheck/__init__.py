"""Is a gradient right? Compare it with finite differences, and say what is wrong if it is not.

    check_layer(layer, x)                     each layer, or a whole network, alone
    check_tangent(layer, x)                   its second order, for gradient penalties
    check_discriminator_step(G, D, loss, x_real, z)
    check_generator_step(G, D, loss, z)       the steps as training runs them: a cache that went
                                              stale or a path that bypasses D shows only here
    check_step(step, learner, ...)            a step of your own, with whatever it takes
    python -m minigan.gradcheck               all of it

Each raises GradientError, with a table and a hint, if any gradient is wrong, and else returns the
table. Networks and data are float64: net.astype(np.float64).

Read differences.py first, then layers.py and steps.py. probe.py is what these share, comparison.py
the table, and hints.py, which proves nothing, says what the mistake may be."""
from minigan.gradcheck.comparison import Comparison, GradientError, Report
from minigan.gradcheck.differences import STEP, TOLERANCE, central_differences, numerical_gradient
from minigan.gradcheck.layers import check_layer, check_tangent
from minigan.gradcheck.steps import (
    check_discriminator_step, check_generator_step, check_step)
