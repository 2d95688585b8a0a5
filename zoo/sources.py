"""The datasets that images come from: licence, citation, and what cards say of them."""

from typing import NamedTuple


class Source(NamedTuple):
    """One dataset.

    Args:
        license (`str`): The licence of the images, which binds the weights too, as the Hub names it.
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
ACDC = Source(
    "cc-by-nc-sa-4.0",
    "Short-axis cine MRI of patients of the University Hospital of Dijon: 1.5 T and 3 T scanners, five groups "
    "(NOR, MINF, DCM, HCM, RV).",
    'O. Bernard, A. Lalande, C. Zotti, F. Cervenansky, et al. "Deep Learning Techniques for Automatic MRI Cardiac '
    'Multi-structures Segmentation and Diagnosis: Is the Problem Solved?" IEEE Transactions on Medical Imaging '
    "37(11):2514-2525, 2018. doi:10.1109/TMI.2018.2837502",
    **HEARTS,
)
MNMS = Source(
    "unknown",
    "Short-axis cine MRI of six hospitals in Spain, Germany and Canada, by scanners of four vendors.",
    'V. M. Campello, P. Gkontra, C. Izquierdo, et al. "Multi-Centre, Multi-Vendor and Multi-Disease Cardiac '
    'Segmentation: The M&Ms Challenge." IEEE Transactions on Medical Imaging 40(12):3543-3554, 2021. '
    "doi:10.1109/TMI.2021.3090082",
    **HEARTS,
)
MNMS2 = Source(
    "unknown",
    "Short-axis MRI of three hospitals in Spain, by scanners of three vendors.",
    'C. Martín-Isla, V. M. Campello, C. Izquierdo, et al. "Deep Learning Segmentation of the Right Ventricle in '
    'Cardiac MRI: The M&Ms Challenge." IEEE Journal of Biomedical and Health Informatics 27(7):3302-3313, 2023. '
    "doi:10.1109/JBHI.2023.3267857",
    **HEARTS,
)
SUNNYBROOK = Source(
    "cc0-1.0",
    "Short-axis cine MRI of 45 patients of the Sunnybrook Health Sciences Centre: healthy, hypertrophy, heart failure.",
    'P. Radau, Y. Lu, K. Connelly, G. Paul, A. J. Dick, G. A. Wright. "Evaluation Framework for Algorithms Segmenting '
    'Short Axis Cardiac MRI." The MIDAS Journal, 2009. hdl:10380/3070',
    **HEARTS,
)
PHANTOM = Source("cc0-1.0", "Drawn hearts, computed from formulas. No patient is in them.", **HEARTS)
MEDNIST = Source(
    "cc-by-sa-4.0",
    "Small radiological pictures of six kinds, not of hearts: of hands where the model's name says so.",
    "MedNIST, gathered by B. J. Erickson (Mayo Clinic) from TCIA, the RSNA Bone Age Challenge and the NIH Chest X-ray "
    "dataset; distributed by Project MONAI.",
    "small radiological pictures",
    ("medical", "radiography"),
)
ISIC = Source(
    "cc-by-nc-4.0",
    "Dermoscopic pictures of skin lesions of HAM10000, not of hearts.",
    'P. Tschandl, C. Rosendahl, H. Kittler. "The HAM10000 dataset, a large collection of multi-source dermatoscopic '
    'images of common pigmented skin lesions." Scientific Data 5:180161, 2018. doi:10.1038/sdata.2018.161',
    "dermoscopy",
    ("medical", "dermoscopy", "skin"),
)
# By the name of the dataset
SOURCES = {
    "ACDC": ACDC,
    "M&Ms": MNMS,
    "M&Ms-2": MNMS2,
    "Sunnybrook Cardiac Data": SUNNYBROOK,
    "Cardiac phantom": PHANTOM,
    "MedNIST": MEDNIST,
    "ISIC": ISIC,
}
UNKNOWN_SOURCE = Source(
    "unknown", "A dataset that the zoo does not know; find out whether its licence lets you share weights."
)


def source_of(name: str | None) -> Source:
    """What is known of a dataset of a name."""
    return SOURCES.get(name, UNKNOWN_SOURCE)
