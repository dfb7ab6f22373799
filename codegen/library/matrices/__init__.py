"""Stages of whole matrices in LLVM code: what they do in order, loops, products, powers."""
