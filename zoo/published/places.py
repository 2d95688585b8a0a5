"""Where published models lie."""

import os
from pathlib import Path

from zoo.published import layout


def list_models(root: str | os.PathLike) -> list[Path]:
    """The folders of published models directly under `root`, by name."""
    return sorted(path.parent for path in Path(root).glob(f"*/{layout.INDEX_FILE}"))
