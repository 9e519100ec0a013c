"""`python -m orchestra` is the same as `orchestra`."""

from orchestra.cli.main import main

if __name__ == "__main__":
    main()
