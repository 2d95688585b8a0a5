"""The tab that lays the models side by side: the same request to all, and how they measure up."""

from pathlib import Path

import gradio as gr

import pictures
from asking import DRAWN, MAX_SEED, check_number
from attached import Attached
from catalogue import Catalogue
from comparing import SAMPLES, Answer, ask_models, read_results, sheet, square
from controls import PATHOLOGIES, SPOKEN
from jobs import Jobs, News
from panel import Panel, Task, add_download
from widgets import Select, options, seed_field
from zoo.errors import ZooError

HELP = "The same seed and class through every model, four hearts each, and four {reference} beside them."
TABLE_HELP = """
### How they measure up
A click on a heading sorts by it, the best first; the reference rows stay on top.
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


def build(catalogue: Catalogue, attached: Attached, jobs: Jobs, page: gr.Blocks) -> None:
    """Adds the content of the sheet."""
    reference = "real hearts" if attached.is_real else "drawn hearts of the phantom, since no dataset is attached,"
    named = [("Any", DRAWN), *((words, label) for label, (words, _) in PATHOLOGIES.items())]
    with gr.Row(elem_classes="split"):
        with gr.Column(scale=2, min_width=300, elem_classes="asks"):
            gr.Markdown(HELP.format(reference=reference))
            pathology = Select(options(named), "HCM", title="Heart")
            phase = Select(
                options([("Any", DRAWN), *((text, name) for name, text in SPOKEN.items())]), DRAWN, title="Phase"
            )
            seed = seed_field()
            names = gr.CheckboxGroup(catalogue.hearts, value=catalogue.hearts, label="Models, the best first")
            panel = Panel(jobs, "compare", "Compare")
        with gr.Column(scale=5, min_width=300):
            panel.add_view()
            with gr.Row(visible=False, elem_classes="after") as after:
                add_download("Download this as PNG", _write_sheet, panel.state, size="sm")
            gr.Markdown(TABLE_HELP)
            table = gr.HTML(elem_classes="result")
            add_download("Download the figures as CSV", _csv_writer(catalogue), None, size="sm")
            with gr.Accordion("How to read it", open=False):
                gr.Markdown(HOW_TO_READ)
            figure = gr.HTML(elem_classes="result chart")

    def ask(pathology, phase, seed, chosen) -> Task:
        known = catalogue.hearts
        if not chosen or not set(chosen) <= set(known):
            raise ZooError(f"models: expected one or more of {', '.join(known)}")
        chosen = [name for name in known if name in chosen]
        classes = {"pathology": pathology, "phase": phase}
        classes = {name: label for name, label in classes.items() if label not in (None, DRAWN)}
        seed = check_number("seed", seed, 0, MAX_SEED)
        seconds = [catalogue.seconds(name, SAMPLES) for name in chosen]
        return Task(
            lambda: _compare(catalogue, attached, chosen, classes, seed), None if None in seconds else sum(seconds)
        )

    def measure_up():
        found = read_results(catalogue)
        figure = "" if found.figure is None else pictures.figure(found.figure, caption="Quality over speed")
        return found.table, figure

    panel.on(
        panel.start.click,
        ask,
        [pathology, phase, seed, names],
        lambda found: found[1],
        [after],
        lambda found: [gr.update(visible=True)],
    )
    page.load(measure_up, None, [table, figure], show_progress="hidden", api_visibility="private")


def _compare(catalogue: Catalogue, attached: Attached, names: list[str], classes: dict[str, str], seed: int):
    """Yields `News` with the pictures that there are; the answers and the whole as HTML last."""
    hearts = attached.hearts("test")
    picture = square(hearts.choose(SAMPLES, classes.get("pathology"), seed))
    words = " · ".join([attached.title, *classes.values()])
    figures, answers = [pictures.figure(picture, hearts.spacing_mm, words)], []
    for item in ask_models(catalogue, names, classes, seed):
        if isinstance(item, Answer):
            answers.append(item)
            figures.append(_figure(item))
        else:
            yield News(item.words, item.done, item.total, html=pictures.gallery(figures, "large"), may_pause=True)
    told = f"<p class='provenance' role='status'>{len(names)} models · {' · '.join(classes.values())} · seed {seed}</p>"
    yield (
        answers,
        f"<section class='answer' aria-label='Side by side'>{told}{pictures.gallery(figures, 'large')}</section>",
    )


def _figure(answer: Answer) -> str:
    if answer.result is None:
        return pictures.text_card(answer.words, answer.name)
    caption = f"{answer.name} · {answer.words}"
    alt = f"Four generated images by {caption}"
    return pictures.figure(square(answer.result.pictures), answer.result.spacing_mm, caption, alt)


def _write_sheet(found, folder: Path) -> Path:
    if found is None:
        raise ZooError("download: compare something first")
    file = folder / "synthetic_comparison.png"
    sheet(found[0]).save(file)
    return file


def _csv_writer(catalogue: Catalogue):
    def write(folder: Path) -> Path:
        file = folder / "results.csv"
        file.write_text(read_results(catalogue).csv)
        return file

    return write
