"""What a stored dataset looks like: size, spacing, colour and intensity window, under one name."""

from dataclasses import dataclass

from zoo.errors import ZooError


@dataclass(frozen=True)
class Preset:
    """The stored form of a source's images.

    Args:
        name: What the user types, such as `"acdc-64"`.
        source: The builder it belongs to: `acdc`, `phantom`, `mednist` or `isic`.
        size: Height and width of the stored images in pixels.
        channels: 1 for grey, 3 for colour.
        spacing: Pixel side of the stored grid in mm; `None` where the source has no physical size.
        percentiles: The two percentiles of a volume that become 0 and 255; `(0, 100)` is min-max.
        heart_centred: Whether the grid is centred on the heart rather than on the image.
        crop: Side in pixels of the central square that is resized to `size`; `None` takes the largest one.
    """

    name: str
    source: str
    size: int
    channels: int = 1
    spacing: float | None = None
    percentiles: tuple[float, float] | None = None
    heart_centred: bool = False
    crop: int | None = None


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("acdc-64", "acdc", 64, spacing=2.0, percentiles=(0.5, 99.5), heart_centred=True),
        Preset("acdc-128", "acdc", 128, spacing=1.0, percentiles=(0.5, 99.5), heart_centred=True),
        Preset("acdc-180", "acdc", 180, spacing=2.0, percentiles=(0.0, 100.0)),
        Preset("phantom-64", "phantom", 64, spacing=2.0, percentiles=(0.5, 99.5), heart_centred=True),
        Preset("mednist-32", "mednist", 32, crop=45),
        Preset("isic-64", "isic", 64, channels=3),
    )
}


def get_preset(name: str, source: str) -> Preset:
    """The preset called `name`.

    Raises:
        ZooError: If `source` has no preset of that name; the message lists those it has.
    """
    preset = PRESETS.get(name)
    if preset is None or preset.source != source:
        known = ", ".join(p.name for p in PRESETS.values() if p.source == source)
        raise ZooError(f"preset {name!r}: {source} has {known}")
    return preset
