"""The tab that walks through latent spaces, and moves InfoGAN's codes."""

import gradio as gr

import pictures
from asking import DRAWN, MAX_SEED, check_number
from catalogue import Catalogue
from controls import PATHOLOGIES
from events import on_gpu
from jobs import Jobs, News
from panel import Panel, Task
from walking import CODE_LIMIT, can_walk, has_codes, walk, with_codes
from widgets import Select, models, options, seed_field

WALK_HELP = """
### A walk between two hearts
A VAE or GAN turns a list of numbers, the *latent*, into a heart in one pass. Between two latents lie hearts that are a
little of both.
"""
CODES_HELP = """
### InfoGAN's codes
An InfoGAN has learnt by itself what a few of its numbers should mean. Move a slider and see what it changes.
"""
NO_WALK = "This tab waits for a one-pass model: a family such as vae, cvae, gan, dcgan or acgan."
NO_CODES = "The sliders of InfoGAN's codes wait for a model of the family infogan."


def build(catalogue: Catalogue, jobs: Jobs) -> None:
    """Adds the content of the sheet."""
    _add_walk(catalogue, jobs, catalogue.that(can_walk))
    _add_codes(catalogue, jobs, catalogue.that(has_codes))


def _add_walk(catalogue: Catalogue, jobs: Jobs, names: list[str]) -> None:
    if not names:
        gr.Markdown(NO_WALK)
        return
    with gr.Row(elem_classes="split"):
        with gr.Column(scale=2, min_width=300, elem_classes="asks"):
            gr.Markdown(WALK_HELP)
            model = models(catalogue, names)
            named = [("Any", DRAWN), *((words, label) for label, (words, _) in PATHOLOGIES.items())]
            pathology = Select(options(named), DRAWN, title="Heart, of models that know pathologies")
            seeds = seed_field(0, "From seed"), seed_field(1, "To seed")
            panel = Panel(jobs, "walk", "Walk")
        with gr.Column(scale=5, min_width=300):
            panel.add_view()

    def ask(model, pathology, first, last) -> Task:
        seeds = check_number("from seed", first, 0, MAX_SEED), check_number("to seed", last, 0, MAX_SEED)
        return Task(lambda: _walk(catalogue, model, pathology, seeds))

    panel.on(panel.start.click, ask, [model, pathology, *seeds], lambda html: html)


@on_gpu
def _walk(catalogue: Catalogue, model: str, pathology: str, seeds: tuple[int, int]):
    yield News(f"Loading {model}")
    pipe = catalogue.load(model)
    known = next(iter(pipe.class_names.values()), [])
    label = pathology if pathology in known else None
    images = walk(pipe, seeds, label)
    shares = [f"{100 * i / (len(images) - 1):.0f} %" for i in range(len(images))]
    figures = [
        pictures.figure(image, pipe.config.get("pixel_spacing_mm"), share, f"Generated image, {share} of the way")
        for image, share in zip(images, shares, strict=True)
    ]
    words = f"{model} · from seed {seeds[0]} to seed {seeds[1]} in {len(images)} pictures" + f" · {label}" * bool(label)
    yield f"<p class='provenance'>{words}</p>" + pictures.scrubber(
        figures, "From one heart to the other", len(figures) // 2
    )


def _add_codes(catalogue: Catalogue, jobs: Jobs, names: list[str]) -> None:
    if not names:
        gr.Markdown(NO_CODES)
        return
    counts = {name: _counts(catalogue, name) for name in names}
    categories, codes = counts[names[0]]
    with gr.Row(elem_classes="split"):
        with gr.Column(scale=2, min_width=300, elem_classes="asks"):
            gr.Markdown(CODES_HELP)
            model = models(catalogue, names, visible=len(names) > 1)
            category = gr.Slider(
                1, max(2, *(n for n, _ in counts.values())), 1, step=1, label="Category", visible=categories > 0
            )
            sliders = [
                gr.Slider(-CODE_LIMIT, CODE_LIMIT, 0, step=0.1, label=f"Code {i + 1}", visible=i < codes)
                for i in range(max(n for _, n in counts.values()))
            ]
            seed = seed_field()
            panel = Panel(jobs, "codes", "Show")
        with gr.Column(scale=5, min_width=300):
            panel.add_view()

    def ask(model, category, seed, *values) -> Task:
        categories, count = counts.get(model, (0, 0))
        chosen = check_number("category", category, 1, categories) - 1 if categories else None
        seed = check_number("seed", seed, 0, MAX_SEED)
        limits = {"low": -CODE_LIMIT, "high": CODE_LIMIT, "whole": False}
        codes = [check_number(f"code {i + 1}", code, **limits) for i, code in enumerate(values[:count])]
        return Task(lambda: _steer(catalogue, model, chosen, seed, codes), 0.1)

    def fit(model):
        """The sliders that a model has."""
        categories, count = counts.get(model, (0, 0))
        return [
            gr.update(visible=categories > 0, value=1),
            *(gr.update(visible=i < count, value=0) for i in range(len(sliders))),
        ]

    model.input(fit, model, [category, *sliders], show_progress="hidden", api_visibility="private")
    moved = [each.change for each in (category, seed, *sliders)]
    panel.on([panel.start.click, *moved], ask, [model, category, seed, *sliders], lambda html: html)


@on_gpu
def _steer(catalogue: Catalogue, model: str, category: int | None, seed: int, codes: list[float]):
    pipe = catalogue.load(model)
    image = with_codes(pipe, seed, category, codes)
    words = ", ".join([f"category {category + 1}"] * (category is not None) + [f"{code:g}" for code in codes])
    alt = f"Generated image of {model}, {words}"
    yield pictures.gallery([pictures.figure(image, pipe.config.get("pixel_spacing_mm"), words, alt)], "large")


def _counts(catalogue: Catalogue, name: str) -> tuple[int, int]:
    """Categories and continuous codes of an InfoGAN, as its index says."""
    _, index = catalogue.indices[name]
    return index.get("categories", 0), index.get("continuous_codes", 0)
