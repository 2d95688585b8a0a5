"""Whether a run that goes on is the one that began."""

from common.recipe import Recipe
from zoo.errors import ZooError

# How long it trains, where it lies, what is looked at on the way, and what belongs to the machine. The dataset may
# have moved; whether it is the same one its fingerprint says.
FREE = {
    "name",
    "dataset",
    "output_dir",
    "epochs",
    "max_seconds",
    "patience",
    "evaluate_every",
    "sample_every",
    "checkpoint_every",
    "mixed_precision",
    "tracker",
}


def check_same(recipe: Recipe, before: dict, where) -> None:
    """Makes sure that a recipe is that of the run at `where`, in all that must not change.

    Raises:
        ZooError: If not; it names the first key.
    """
    now = recipe.model_dump(mode="json")
    for key in sorted((now.keys() & before.keys()) - FREE):
        if now[key] != before[key]:
            raise ZooError(f"{where}: is a run of another recipe: {key} was {before[key]!r}, is {now[key]!r}")
