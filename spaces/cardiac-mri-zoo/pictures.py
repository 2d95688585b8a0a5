"""Images as HTML: square pixels, a scale bar in millimetres, and nothing about an image but its pixels and caption."""

import base64
from html import escape

import numpy as np

from zoo import png

COLOURS = {1: (86, 180, 233), 2: (240, 200, 66), 3: (204, 121, 167)}  # can be told apart by the colour-blind
LABELS = {1: "right ventricle", 2: "myocardium", 3: "left ventricle"}
OPACITY = 0.45
BARS_MM = (50, 20, 10, 5, 2, 1)
LONGEST_BAR = 0.45  # share of the picture's width
SCRUB = (
    "const box=this.closest('.scrubber'),all=[...box.querySelectorAll('.strip figure')],shown=all[this.value];"
    "for(const part of ['.frame','figcaption'])"
    "box.querySelector('.stage '+part).innerHTML=shown.querySelector(part).innerHTML;"
    "all.forEach(one=>one.classList.toggle('chosen',one===shown))"
)
CHOOSE = (
    "const one=event.target.closest('figure');if(one){"
    "const range=this.closest('.scrubber').querySelector('input');"
    "range.value=[...this.children].indexOf(one);range.dispatchEvent(new Event('input'))}"
)


def data_uri(image: np.ndarray) -> str:
    """A uint8 image `(height, width)`, `(height, width, 1)` or `(height, width, 3)` as PNG, without any metadata."""
    return "data:image/png;base64," + base64.b64encode(png.encode(image)["bytes"]).decode()


def bar_mm(width_mm: float) -> float:
    """Length of the scale bar of a picture: the longest round number that leaves room."""
    return next((length for length in BARS_MM if length <= LONGEST_BAR * width_mm), BARS_MM[-1])


def figure(
    image: np.ndarray,
    spacing_mm: float | None = None,
    caption: str = "",
    alt: str = "",
    mask: np.ndarray | None = None,
) -> str:
    """One image with its scale bar and caption.

    Args:
        image (`np.ndarray` of shape `(height, width)` or `(height, width, channels)`): uint8.
        spacing_mm (`float`, *optional*): Side of a pixel in millimetres; without it there is no scale bar.
        caption (`str`): Plain text below it.
        alt (`str`): What those are told who do not see it; the caption otherwise.
        mask (`np.ndarray` of shape `(height, width)`, *optional*): Labels, laid over the image in colour.
    """
    bar = ""
    if spacing_mm:
        width_mm = image.shape[1] * spacing_mm
        length = bar_mm(width_mm)
        bar = f'<span class="bar" style="width:{100 * length / width_mm:.2f}%">{length:g} mm</span>'
    words = escape(caption)
    picture = f'<img src="{data_uri(image)}" alt="{escape(alt or caption) or "MRI slice"}" draggable="false">'
    if mask is not None:
        picture += f'<img class="mask" src="{data_uri(coloured(mask))}" alt="" draggable="false">'
    return f'<figure><div class="frame">{picture}{bar}</div><figcaption>{words}</figcaption></figure>'


def coloured(mask: np.ndarray) -> np.ndarray:
    """A mask in colours, see-through where there is nothing: uint8 `(height, width, 4)`."""
    picture = np.zeros((*mask.shape, 4), np.uint8)
    for label, tint in COLOURS.items():
        picture[mask == label] = (*tint, round(255 * OPACITY))
    return picture


def overlay(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An image `(height, width)` or `(height, width, channels)` with its labels in colour: uint8 `(…, 3)`."""
    image = image[..., None] if image.ndim == 2 else image
    colour = np.broadcast_to(image, (*mask.shape, 3)).astype(np.float32)  # a copy
    for label, tint in COLOURS.items():
        colour[mask == label] = (1 - OPACITY) * colour[mask == label] + OPACITY * np.array(tint)
    return colour.round().astype(np.uint8)


def legend() -> str:
    """The colours of a mask and their names."""
    return " ".join(
        f'<span class="tint" style="background:rgb{COLOURS[label]}"></span>&nbsp;{name}'
        for label, name in LABELS.items()
    )


def text_card(words: str, caption: str = "") -> str:
    """A place of an image that there is none for, which says why."""
    frame = f'<div class="frame words"><p>{escape(words)}</p></div>'
    return f"<figure>{frame}<figcaption>{escape(caption)}</figcaption></figure>"


def gallery(figures: list[str], size: str = "") -> str:
    """Figures in as many columns as fit; `size` is `""` or `"large"`."""
    return f'<div class="gallery {size}">{"".join(figures)}</div>'


def scrubber(figures: list[str], label: str, start: int) -> str:
    """A large picture, a slider that says which of the figures it is, and all of them in a strip.

    The slider works in the browser alone, so that it answers at once.

    Args:
        figures (`list[str]`): At least one.
        label (`str`): Of the slider.
        start (`int`): The figure that is shown first.
    """
    marked = [
        one.replace("<figure>", '<figure class="chosen">') if i == start else one for i, one in enumerate(figures)
    ]
    slider = (
        f'<input type="range" min="0" max="{len(figures) - 1}" value="{start}" step="1" aria-label="{escape(label)}" '
        f'oninput="{SCRUB}">'
    )
    return (
        f'<div class="scrubber"><div class="stage">{figures[start]}</div><label>{escape(label)}{slider}</label>'
        f'<div class="strip" onclick="{CHOOSE}">{"".join(marked)}</div></div>'
    )


def progress(words: str, done: int = 0, total: int = 0, image: np.ndarray | None = None, spacing_mm=None) -> str:
    """What is going on, a bar, and the picture as it is by now. Without a total the bar only moves."""
    shown = ""
    if image is not None:
        alt = "Image that is being generated"
        shown = f'<div class="gallery large">{figure(image, spacing_mm, alt=alt)}</div>'
    value = f' value="{done}" max="{total}"' if total else ""
    bar = f'<progress{value} aria-label="Progress"></progress>'
    return f'<div class="news"><p role="status">{escape(words)}</p>{bar}{shown}</div>'


def problem(words: str) -> str:
    """What went wrong, in place of a result."""
    return f'<div class="problem" role="alert"><p>{escape(words)}</p></div>'
