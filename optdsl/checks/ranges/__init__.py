"""What values may be, from domains alone: proofs that every value of a rule is defined."""
