"""The columns of the results table: where each figure stands in `metrics.json`, and which of them say most."""

from dataclasses import dataclass

from zoo.cards.figures_text import text, value_of
from zoo.published.metrics_file import graded_by_itself

EXTRACTOR = "efficientnet_lite0"
DAGGER = "†"  # behind a figure of a network that had a part in the model


@dataclass(frozen=True)
class Column:
    """One figure of every model.

    Args:
        heading (`str`): As it stands above the column.
        group, key (`str`): Where the figure stands in `metrics.json`.
        beside (`str`, *optional*): Another figure of the group that is written behind it in brackets.
        headline (`bool`): Whether it is among the few that fit a page; the others are in CSV and HTML.
        front (`bool`): Whether it is among the fewer that a stranger reads.
        optional (`bool`): Whether it is left out where nobody has measured it. The CSV has it all the same.
    """

    heading: str
    group: str
    key: str
    beside: str | None = None
    headline: bool = False
    optional: bool = False
    front: bool = False

    @property
    def name(self) -> str:
        """The column's name in the CSV."""
        return f"{self.group}_{self.key}" if self.key in _SHORT else self.key

    def figure(self, groups: dict):
        """The figure of one row, `None` if it was not measured."""
        return groups.get(self.group, {}).get(self.key)

    def cell(self, groups: dict, bounds: bool = True) -> str:
        """The figure of one row as text, with its bounds if they are wanted; an en dash if it was not measured."""
        figure = self.figure(groups)
        if figure is None:
            return "–"
        cell = text(figure if bounds else value_of(figure), self.key)
        if isinstance(figure, dict) and "ratio_to_real" in figure:
            cell += f" (× {figure['ratio_to_real']:.2f})"
        if graded_by_itself(groups, self.key):
            cell += f" {DAGGER}"
        beside = value_of(groups[self.group].get(self.beside))
        return cell if beside is None else f"{cell} ({text(beside, self.key)})"


_SHORT = {"ssim", "cc", "mse", "psnr", "ms_ssim", "empty"}  # names that say nothing without their group
DISTANCE = Column("FID (EfficientNet-Lite0), × real", "distribution", f"fd_{EXTRACTOR}", headline=True, front=True)
COVERAGE = Column("Coverage", "distribution", f"coverage_{EXTRACTOR}", headline=True, optional=True, front=True)
SPEED = Column("Samples/s, batch 16", "cost", "samples_per_second_batch_16", headline=True, front=True)
COLUMNS = (
    DISTANCE,
    Column("KID (EfficientNet-Lite0)", "distribution", f"kid_{EXTRACTOR}", headline=True, front=True),
    Column("FID (Inception-v3)", "distribution", "fid_inception_v3", headline=True, optional=True),
    Column("Precision", "distribution", f"precision_{EXTRACTOR}", optional=True),
    Column("Recall", "distribution", f"recall_{EXTRACTOR}", optional=True),
    Column("Density", "distribution", f"density_{EXTRACTOR}", optional=True),
    COVERAGE,
    Column("CMMD", "distribution", f"cmmd_{EXTRACTOR}", optional=True),
    Column("SSIM of projections (latent dimensions)", "projection", "ssim", "latent_dimensions", headline=True),
    Column("CC of projections", "projection", "cc"),
    Column("MSE of projections", "projection", "mse"),
    Column("PSNR of projections (dB)", "projection", "psnr"),
    Column("Latent dimensions", "projection", "latent_dimensions"),
    Column("Copies", "copying", "share_copies", headline=True, front=True),
    Column("SSIM to the nearest training image", "copying", "nearest_ssim_train"),
    Column("MIFID", "copying", f"mifid_{EXTRACTOR}", optional=True),
    Column("Membership AUC", "copying", "membership_auc", optional=True),
    Column("MS-SSIM of pairs (training images)", "diversity", "ms_ssim", "ms_ssim_train", headline=True),
    Column("SSIM of pairs (training images)", "diversity", "ssim", "ssim_train"),
    Column(
        "Closed rings (real)", "anatomy", "ring_closed", "ring_closed_real", headline=True, optional=True, front=True
    ),
    Column("Empty masks (real)", "anatomy", "empty", "empty_real", optional=True),
    Column("Wall thickness (mm)", "anatomy", "wall_thickness_mm", optional=True),
    Column("Cavity area (mm²)", "anatomy", "cavity_area_mm2", optional=True),
    Column("Asked-for class (real)", "conditioning", "class_accuracy", "class_accuracy_real", optional=True),
    Column("Order of classes kept", "conditioning", "ordering_kept", optional=True),
    Column("Samples/s, batch 1", "cost", "samples_per_second_batch_1"),
    SPEED,
    Column("Network evaluations", "cost", "network_evaluations"),
    Column("Peak memory (MB)", "cost", "peak_memory_mb"),
    Column("Parameters", "cost", "parameters", headline=True),
    Column("Checkpoint (MB)", "cost", "checkpoint_mb"),
    Column("Training images seen", "training", "images_seen"),
)


def measured(columns, rows: list[tuple[str, dict]]) -> list[Column]:
    """The columns without the optional ones that no row has."""
    return [
        column
        for column in columns
        if not column.optional or any(column.figure(groups) is not None for _, groups in rows)
    ]
