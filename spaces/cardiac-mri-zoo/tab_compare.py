"""The tab that lays the models side by side: the same request to all, and how they measure up."""

import gradio as gr

import pictures
from attached import Attached
from catalogue import Catalogue
from comparing import SAMPLES, ask_everyone, read_results, square
from controls import seed_field
from events import SAMPLING, plain_errors, sampling
from sampling import MAX_SEED, check_number
from zoo.datasets.schema import PATHOLOGIES
from zoo.errors import ZooError

HELP = """
The same seed and pathology through every model, four hearts each, and four {reference} beside them. Models that know no
pathologies say so. Below: how the models measure up against real hearts that none of them has seen.
"""
HOW_TO_READ = """
- **Fréchet distance and KID** compare a set of samples with patients that no model has seen. They mean something only
  beside the row of *real images*, which is what real training images score.
- **Projections** (SSIM, CC, MSE, PSNR) ask whether a model can express a heart it has never seen. More latent
  dimensions make that easier.
- **The *mean image*** is a blur that no one would take for a heart. Where it scores well, the score says little.
- **Copies** are samples nearer to one training image than real patients are to one another. The row *copy of training
  images* is what a memoriser scores.
"""


def build(catalogue: Catalogue, attached: Attached) -> None:
    """Adds the tab."""
    reference = "real hearts" if attached.is_real else "drawn hearts of the phantom, since no dataset is attached,"
    with gr.Tab("Compare", id="compare"):
        gr.Markdown(HELP.format(reference=reference))
        with gr.Row():
            pathology = gr.Dropdown(PATHOLOGIES, value="HCM", label="Pathology")
            seed = seed_field()
        start = gr.Button("Compare", variant="primary")
        status = gr.Markdown()
        side_by_side = gr.HTML(elem_classes="result")
        gr.Markdown("### How they measure up\nA click on a heading sorts by it; the reference rows stay on top.")
        table = gr.HTML(elem_classes="result")
        with gr.Accordion("How to read it", open=False):
            gr.Markdown(HOW_TO_READ)
        figure = gr.HTML(elem_classes="result chart")

    @sampling
    def compare(pathology, seed):
        """HTML with a picture of each model, as they are ready."""
        if pathology not in PATHOLOGIES:
            raise ZooError(f"pathology: expected one of {', '.join(PATHOLOGIES)}")
        seed = check_number("seed", seed, 0, MAX_SEED)
        hearts = attached.hearts("test")
        picture = square(hearts.choose(SAMPLES, pathology, seed))
        figures = [pictures.figure(picture, hearts.spacing_mm, f"{attached.title} · {pathology}")]
        total = len(catalogue.names)
        yield f"Asking {total} models …", pictures.gallery(figures, "large")
        for done, found in enumerate(ask_everyone(catalogue, pathology, seed), 1):
            if found.picture is None:
                figures.append(pictures.text_card(found.words, found.name))
            else:
                figures.append(pictures.figure(found.picture, found.spacing_mm, f"{found.name} · {found.words}"))
            words = f"{done} of {total} models" + (" …" if done < total else f", seed {seed}")
            yield words, pictures.gallery(figures, "large")

    @plain_errors
    def measure_up():
        """HTML of the results table, and of quality over speed."""
        found = read_results(catalogue)
        return found.table, "" if found.figure is None else pictures.figure(found.figure, caption="Quality over speed")

    start.click(
        compare,
        [pathology, seed],
        [status, side_by_side],
        preprocess=False,
        show_progress_on=status,
        api_name="compare",
        **SAMPLING,
    )
    gr.on(fn=measure_up, outputs=[table, figure], api_name="results", concurrency_limit=1)
