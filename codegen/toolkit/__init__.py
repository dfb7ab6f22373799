"""The CUDA toolkit as used without a card: architectures, PTX, cubins, what kernels take."""
