"""What generated modules import: tables of tensors, folds of partial sums, kernels.

Nothing here imports the compiler, and nothing that the reference target uses
imports Numba.
"""
