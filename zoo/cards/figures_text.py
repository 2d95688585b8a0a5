"""Figures of `metrics.json` as text: three digits, the interval in brackets, absent ones named so."""

NOT_MEASURED = "not measured"
_NAMES = {
    "ssim": "SSIM",
    "cc": "CC",
    "mse": "MSE",
    "psnr": "PSNR (dB)",
    "ms_ssim": "MS-SSIM of pairs",
    "ms_ssim_train": "MS-SSIM of pairs, training images",
    "ssim_train": "SSIM of pairs, training images",
    "ms_ssim_dark": "MS-SSIM of pairs on dark ground",
    "ssim_dark": "SSIM of pairs on dark ground",
    "share_copies": "share of copies",
    "share_copies_real": "share of copies, real images",
    "share_copies_real_test": "share of copies, real test images",
    "threshold": "threshold of the distance ratio",
    "nearest_cc_train": "CC to the nearest training image",
    "nearest_ssim_train": "SSIM to the nearest training image",
    "nearest_ssim_test": "SSIM to the nearest test image",
    "nearest_ssim_validation": "SSIM to the nearest validation image",
    "membership_auc": "membership inference (AUC)",
    "seconds_per_image": "seconds an image",
    "ring_closed": "share with a closed ring",
    "empty": "share without a heart",
    "wall_thickness_mm": "wall thickness (mm)",
    "septal_wall_mm": "septal wall (mm)",
    "lateral_wall_mm": "lateral wall (mm)",
    "cavity_area_mm2": "cavity area (mm²)",
    "myocardium_area_mm2": "myocardium area (mm²)",
    "lv_rv_ratio": "LV/RV area ratio",
    "segmenter_dice": "Dice of the segmenter itself",
    "mask_agreement_dice": "Dice of masks and segmenter",
    "mask_dice": "Dice of asked-for masks, all images together",
    "mask_copies": "share of label maps that are copies",
    "mask_copies_validation": "share of copies, label maps of validation patients",
    "mask_copy_threshold": "threshold of copied label maps (Dice)",
    "latent_dimensions": "free latent dimensions",
    "samples_per_second_batch_1": "samples/s, batch 1",
    "samples_per_second_batch_16": "samples/s, batch 16",
    "network_evaluations": "network evaluations a sample",
    "peak_memory_mb": "peak memory (MB)",
    "checkpoint_mb": "checkpoint (MB)",
    "hog_svm": "HOG + SVM",
    "cnn": "CNN",
    "hog_svm_study_c": "HOG + SVM of study C",
    "skinlesnet_study_c": "SkinLesNet of study C",
    "ssim_random": "SSIM to a random real image",
    "cc_random": "CC to a random real image",
    "mse_random": "MSE to a random real image",
    "ssim_nearest": "SSIM to the nearest real image",
    "cc_nearest": "CC to the nearest real image",
    "mse_nearest": "MSE to the nearest real image",
}
# How people write the names of extractors; no figure of their features means anything without it
EXTRACTORS = {
    "efficientnet_lite0": "EfficientNet-Lite0",
    "inception_v3": "Inception-v3",
    "dinov2": "DINOv2",
    "clip": "CLIP",
    "unet_acdc": "U-Net of ACDC",
    "skinlesnet_acdc": "SkinLesNet of ACDC",
    "resnet50_acdc": "ResNet50 of ACDC",
    "unet_isic": "U-Net of ISIC",
    "skinlesnet_isic": "SkinLesNet of ISIC",
    "resnet50_isic": "ResNet50 of ISIC",
}
_OF_REAL = "_real"  # ending of a figure of real images beside that of the samples
_SHARES = ("share_", "ring_closed", "empty", "baseline_", "cas_", "nas_", "told_", "refused_")
# Of figures with an extractor, or a pathology, behind them; a longer prefix before the one that it begins with
_PREFIXES = {
    "fd_train_": "FID to training images",
    "fd_": "FID",
    "fid_": "FID",
    "kid_": "KID",
    "cmmd_": "CMMD",
    "precision_": "precision",
    "recall_": "recall",
    "density_": "density",
    "coverage_": "coverage",
    "inception_score_": "Inception Score",
    "mifid_": "MIFID",
    "threshold_mifid_": "threshold of MIFID",
    "threshold_": "threshold of the distance ratio",
    "share_copies_real_test_": "share of copies, real test images",
    "share_copies_real_": "share of copies, real images",
    "share_copies_": "share of copies",
    "baseline_": "accuracy of real images alone",
    "cas_": "CAS",
    "nas_": "NAS",
    "dice_shared_generator_": "Dice with pairs of a generator of all patients",
    "mask_dice_": "Dice of asked-for masks",
    "dice_same_data_": "Dice with pairs of a generator of the same patients",
}
# Of a quantity that was asked for: how near what was found comes to it
_AS_ASKED = {
    "_mae_mm": "mean absolute error (mm)",
    "_mae_mm2": "mean absolute error (mm²)",
    "_bias_mm": "mean error (mm)",
    "_bias_mm2": "mean error (mm²)",
    "_r": "correlation",
    "_slope": "slope of found on asked",
    "_share_failed": "share without one",
}


def metric_name(key: str) -> str:
    """A readable name of a metric, with its extractor in brackets: Heusel's formula is FID only beside that."""
    if key == "fd_inception_v3":  # not the weights that the customary figure is defined with
        return "FID (Inception-v3, other weights)"
    if key in _NAMES:
        return _NAMES[key]
    for prefix, name in _PREFIXES.items():
        if key.startswith(prefix):
            ending = key.removeprefix(prefix)
            return f"{name} ({EXTRACTORS.get(ending, ending)})"
    for ending, words in _AS_ASKED.items():
        if key.endswith(ending):
            return f"{key.removesuffix(ending).replace('_', ' ')} as asked, {words}"
    if key.endswith(_OF_REAL):
        return f"{metric_name(key.removesuffix(_OF_REAL))}, real images of the split"
    return key.replace("_", " ")


def value_of(figure) -> float | None:
    """The number of a figure, whether it stands with its bounds or alone."""
    return figure.get("value") if isinstance(figure, dict) else figure


def text(figure, key: str = "") -> str:
    """A figure as `value [low, high]`, its bounds as precise as its value.

    Args:
        figure: A number, a figure with bounds, or `None` if it was not measured.
        key (`str`): Its name; shares are written in per cent.
    """
    value = value_of(figure)
    if value is None:
        return NOT_MEASURED
    if isinstance(value, list):  # a matrix
        return "; ".join(", ".join(map(str, row)) for row in value)
    if isinstance(value, bool | str):
        return {True: "yes", False: "no"}.get(value, value)
    scale, unit = (100, " %") if is_share(key) else (1, "")
    decimals = 0 if isinstance(value, int) else 1 if unit else _decimals(abs(value))

    def number(x: float) -> str:
        return f"{x * scale:,.{decimals}f}"

    if isinstance(figure, dict) and "low" in figure and "high" in figure:
        return f"{number(value)}{unit} [{number(figure['low'])}, {number(figure['high'])}]"
    return number(value) + unit


def is_share(key: str) -> bool:
    """Whether a metric is a share, which is written in per cent."""
    return key.startswith(_SHARES) or "_accuracy" in key or key.endswith(("_chance", "_share_failed"))


def _decimals(magnitude: float) -> int:
    """Places after the point that leave about three digits."""
    limits = (100, 10, 1, 0.01, 0.001, 0.0001)
    return 3 if magnitude == 0 else next((n for n, limit in enumerate(limits) if magnitude >= limit), 6)


def duration(seconds: float) -> str:
    """Seconds as hours and minutes."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"
