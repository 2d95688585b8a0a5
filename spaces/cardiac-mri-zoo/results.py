"""A result as visitors see it: what made it, the images, and what can be taken away. The one place that renders one."""

from html import escape

import pictures
from asking import SHOWN
from sampling import Result

ONLY = "Generated. It shows nobody and is not for diagnosis."
COPY = (
    "const said=this.textContent;navigator.clipboard.writeText({what}).then(()=>{{this.textContent='Copied';"
    "setTimeout(()=>this.textContent=said,1500)}})"
)
COPY_LINK = COPY.format(what="location.origin+location.pathname+this.dataset.query")
COPY_CODE = COPY.format(what="this.closest('details').querySelector('code').textContent")
MASKS = "this.closest('.answer').classList.toggle('plain',!this.checked)"


def provenance(result: Result) -> str:
    """Model, classes, seed and settings of a result, in a line."""
    request = result.request
    asked = " · ".join(request.classes.values()) or ("classes drawn" if result.class_names else "")
    millimetres = [f"{spoken(name)} {value:g} {unit(name)}" for name, value in request.quantities.items()]
    count = f"samples 0 to {request.count - 1}" if request.count > 1 else "sample 0"
    settings = []
    if steps := result.settings.get("num_inference_steps"):
        settings.append(f"{steps} step{'s' * (steps != 1)}")
    if "guidance_scale" in result.settings:
        settings.append(f"guidance {result.settings['guidance_scale']:g}")
    parts = [asked, *millimetres, f"seed {request.seed}, {count}", *settings]
    took = [f"{result.seconds:.1f} s"] if result.seconds else []
    return " · ".join([request.model, *filter(None, parts), *took, f"zoo {result.version}"])


def spoken(quantity: str) -> str:
    """The name of a quantity without its unit."""
    return quantity.rpartition("_")[0].replace("_", " ")


def unit(quantity: str) -> str:
    """The unit of a quantity."""
    return {"mm": "mm", "mm2": "mm²"}[quantity.rpartition("_")[2]]


def result_html(result: Result) -> str:
    """The whole of it."""
    request, count = result.request, len(result.images)
    figures = []
    for i, (image, caption) in enumerate(zip(result.pictures[:SHOWN], result.captions, strict=False)):
        alt = f"Generated image {i + 1} of {count} by {request.model}" + (f", {caption}" if caption else "")
        mask = None if result.masks is None else result.masks[i]
        figures.append(pictures.figure(image, result.spacing_mm, caption, alt, mask))
    masks = ""
    if result.masks is not None:
        box = f'<label class="switch"><input type="checkbox" checked onchange="{MASKS}"> Masks</label>'
        masks = f'<p class="masks">{box} {pictures.legend()}</p>'
    return (
        f'<section class="answer" aria-label="Generated images">'
        f'<p class="provenance"><strong>{ONLY}</strong> {escape(provenance(result))}</p>{masks}'
        f"{pictures.gallery(figures)}"
        f'<div class="actions">{montage(result)}{link(result)}{python(result)}</div></section>'
    )


def montage(result: Result) -> str:
    """What draws all pictures that are shown into one, in the browser, and saves it."""
    name = escape(f"{result.stem}_montage.png")
    return f'<button type="button" class="chip" data-name="{name}" onclick="window.saveMontage(this)">Montage</button>'


def link(result: Result) -> str:
    """What opens the page with this very result."""
    query = escape("?" + result.request.query)
    return (
        f'<a class="chip" href="{query}">Link</a>'
        f'<button type="button" class="chip" data-query="{query}" onclick="{COPY_LINK}">Copy link</button>'
    )


def python(result: Result) -> str:
    """The code, and a button that copies it."""
    copy = f'<button type="button" class="chip" onclick="{COPY_CODE}">Copy</button>'
    code = f'<pre tabindex="0" aria-label="Python code"><code>{escape(result.python)}</code></pre>'
    return f"<details><summary>Python</summary>{code}{copy}</details>"
