"""What the cards say of the datasets that weights are trained on."""

from typing import NamedTuple

from zoo.datasets import acdc, class_folders, isic


class Source(NamedTuple):
    """One dataset.

    Args:
        license (`str`): The licence that binds the weights, as the Hub names it.
        images (`str`): What its images are, a sentence.
        citation (`str`, *optional*): What whoever uses the weights must cite, or be told of.
        subject (`str`): What generators of it make.
        tags (`tuple[str, ...]`): Of its models on the Hub.
    """

    license: str
    images: str
    citation: str | None = None
    subject: str = "medical images"
    tags: tuple[str, ...] = ("medical",)


HEARTS = {"subject": "cardiac MRI", "tags": ("medical", "mri", "cardiac")}
# By the name of the dataset
SOURCES = {
    "ACDC": Source(
        acdc.LICENSE,
        "Short-axis cine MRI of patients of the University Hospital of Dijon: 1.5 T and 3 T scanners, five groups "
        "(NOR, MINF, DCM, HCM, RV).",
        acdc.CITATION,
        **HEARTS,
    ),
    "Cardiac phantom": Source("cc0-1.0", "Drawn hearts, computed from formulas. No patient is in them.", **HEARTS),
    "MedNIST": Source(
        class_folders.MEDNIST_LICENSE,
        "Small radiological pictures of six kinds, not of hearts: of hands where the model's name says so.",
        class_folders.MEDNIST_CITATION,
        "small radiological pictures",
        ("medical", "radiography"),
    ),
    "ISIC": Source(
        isic.LICENSE,
        "Dermoscopic pictures of skin lesions of HAM10000, not of hearts.",
        isic.CITATION,
        "dermoscopy",
        ("medical", "dermoscopy", "skin"),
    ),
}
UNKNOWN_SOURCE = Source(
    "unknown", "A dataset that the zoo does not know; find out whether its licence lets you share weights."
)


def source_of(name: str | None) -> Source:
    """What is known of a dataset of a name."""
    return SOURCES.get(name, UNKNOWN_SOURCE)
