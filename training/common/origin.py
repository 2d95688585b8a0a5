"""What a published folder keeps of the run that it comes from."""

import shutil
from pathlib import Path

# File of the run, and its name in the published folder. What is configured rather than trained has no log.
FILES = {"pipeline/recipe.yaml": "recipe.yaml", "metrics.jsonl": "training.jsonl", "curves.png": "curves.png"}


def copy_origin(run: Path, folder: Path) -> None:
    """Copies the recipe, the log, in which one sees where validation stopped improving, and its curves."""
    for source, name in FILES.items():
        if (run / source).is_file():
            shutil.copyfile(run / source, folder / name)
