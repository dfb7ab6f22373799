"""What CUDA kernels are made of: their words, how they are compiled, how they are emulated."""
