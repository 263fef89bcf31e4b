"""`python -m stratvector.cli`: the `stratvector` command of this interpreter."""

from stratvector.cli.main import main

if __name__ == "__main__":
    main()
