"""The command line of a checkout: `python cli.py check` does what `optdsl check` does."""

from pathlib import Path

import optdsl

# An installation maps `codegen/` and `specs/` into the package; a bare checkout finds them so.
optdsl.__path__.append(str(Path(__file__).resolve().parent))

from optdsl.commands import main  # noqa: E402

if __name__ == "__main__":
    main()
