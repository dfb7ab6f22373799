"""Kernels for CUDA as text: one file for each kind of kernel, and what they share."""
