"""The tests multiply small matrices, where the threads of a BLAS only get in each other's way."""
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported, after this
