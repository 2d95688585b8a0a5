"""The tab that walks through latent spaces, and moves InfoGAN's codes."""

import gradio as gr

import pictures
from catalogue import Catalogue
from controls import seed_field
from events import SAMPLING, plain_errors, sampling
from sampling import DRAWN, MAX_SEED, check_number
from walking import CODE_LIMIT, can_walk, has_codes, walk, with_codes
from zoo.datasets.schema import PATHOLOGIES

WALK_HELP = """
### A walk between two hearts
A VAE or GAN turns a list of numbers, the *latent*, into a heart in one pass. Between two latents lie hearts that are a
little of both. Move the slider below the picture, or click on the strip.
"""
CODES_HELP = """
### InfoGAN's codes
An InfoGAN has learnt by itself what a few of its numbers should mean. Move a slider and see what it changes.
"""
NO_WALK = "This tab waits for a one-pass model: a family such as vae, cvae, gan, dcgan or acgan."
NO_CODES = "The sliders of InfoGAN's codes wait for a model of the family infogan."


def build(catalogue: Catalogue) -> None:
    """Adds the tab."""
    with gr.Tab("Latent", id="latent"):
        _add_walk(catalogue, catalogue.that(can_walk))
        _add_codes(catalogue, catalogue.that(has_codes))


def _add_walk(catalogue: Catalogue, names: list[str]) -> None:
    if not names:
        gr.Markdown(NO_WALK)
        return
    gr.Markdown(WALK_HELP)
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(names, label="Model")
            pathology = gr.Dropdown(
                [("any of them", DRAWN), *PATHOLOGIES], label="Pathology", info="For models that know pathologies."
            )
            seeds = seed_field(0, "From seed"), seed_field(1, "To seed")
            start = gr.Button("Walk", variant="primary")
        with gr.Column(scale=3):
            status = gr.Markdown()
            strip = gr.HTML(elem_classes="result")

    @sampling
    def run(model, pathology, first, last):
        """HTML with the images between two samples and a slider."""
        pipe = catalogue.load(model)
        seeds = check_number("from seed", first, 0, MAX_SEED), check_number("to seed", last, 0, MAX_SEED)
        known = next(iter(pipe.class_names.values()), [])
        label = pathology if pathology in known else None
        images = walk(pipe, seeds, label)
        figures = [
            pictures.figure(image, pipe.config.get("pixel_spacing_mm"), f"{100 * i / (len(images) - 1):.0f} %")
            for i, image in enumerate(images)
        ]
        words = f"From seed {seeds[0]} to seed {seeds[1]} in {len(images)} pictures" + (f", {label}." if label else ".")
        return words, pictures.scrubber(figures, "From one heart to the other", len(figures) // 2)

    start.click(
        run,
        [model, pathology, *seeds],
        [status, strip],
        preprocess=False,
        show_progress_on=status,
        api_name="walk",
        **SAMPLING,
    )


def _add_codes(catalogue: Catalogue, names: list[str]) -> None:
    if not names:
        gr.Markdown(NO_CODES)
        return
    gr.Markdown(CODES_HELP)
    counts = {name: _counts(catalogue, name) for name in names}
    categories, codes = counts[names[0]]
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(names, label="Model", visible=len(names) > 1)
            category = gr.Slider(
                1, max(2, *(n for n, _ in counts.values())), 1, step=1, label="Category", visible=categories > 0
            )
            sliders = [
                gr.Slider(-CODE_LIMIT, CODE_LIMIT, 0, step=0.1, label=f"Code {i + 1}", visible=i < codes)
                for i in range(max(n for _, n in counts.values()))
            ]
            seed = seed_field()
        with gr.Column(scale=3):
            picture = gr.HTML(elem_classes="result")

    @sampling
    def steer(model, category, seed, *codes):
        """HTML with the image of given codes: category from 1, seed, and a number for each continuous code."""
        pipe = catalogue.load(model)
        categories, count = pipe.config.categories, pipe.config.continuous_codes
        chosen = check_number("category", category, 1, categories) - 1 if categories else None
        seed = check_number("seed", seed, 0, MAX_SEED)
        limits = {"low": -CODE_LIMIT, "high": CODE_LIMIT, "whole": False}
        codes = [check_number(f"code {i + 1}", code, **limits) for i, code in enumerate(codes[:count])]
        image = with_codes(pipe, seed, chosen, codes)
        words = ", ".join([f"category {category}"] * bool(categories) + [f"{code:g}" for code in codes])
        return pictures.gallery([pictures.figure(image, pipe.config.get("pixel_spacing_mm"), words)], "large")

    @plain_errors
    def fit(model):
        """The sliders that a model has."""
        categories, count = counts.get(model, (0, 0))
        return [
            gr.update(visible=categories > 0, value=1),
            *(gr.update(visible=i < count, value=0) for i in range(len(sliders))),
        ]

    model.change(fit, model, [category, *sliders], api_visibility="private")
    gr.on(
        None,  # when the page is opened and when anything is moved
        steer,
        inputs=[model, category, seed, *sliders],
        outputs=picture,
        preprocess=False,
        trigger_mode="always_last",
        show_progress="hidden",
        api_name="codes",
        **SAMPLING,
    )


def _counts(catalogue: Catalogue, name: str) -> tuple[int, int]:
    """Categories and continuous codes of an InfoGAN, as its index says."""
    _, index = catalogue.indices[name]
    return index.get("categories", 0), index.get("continuous_codes", 0)
