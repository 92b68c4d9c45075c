"""``python -m birds`` is the command ``birds``."""

from .cli import main

if __name__ == "__main__":
    main()
