"""Running implementations beside rules: what steps stand in for where there are no equations."""
