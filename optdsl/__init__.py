"""A compiler from equations to optimizers."""
