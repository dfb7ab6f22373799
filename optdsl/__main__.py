"""`python -m optdsl` does what `optdsl` does."""

from optdsl.commands import main

if __name__ == "__main__":
    main()
