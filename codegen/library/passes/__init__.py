"""Passes in LLVM code: the loop over entries, and the pieces of memory that it runs over."""
