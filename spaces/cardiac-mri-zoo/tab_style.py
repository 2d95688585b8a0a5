"""Study B's dashboard: content, style and result side by side, from a precomputed grid or as it happens."""

import gradio as gr

import pictures
from attached import Attached
from catalogue import Catalogue
from controls import seed_field
from events import SAMPLING, plain_errors, sampling, with_news
from sampling import MAX_SEED, check_number
from styling import MAX_ITERATIONS, VARIABLE, Styled, Sweep, live_networks, style_live
from zoo.errors import ZooError
from zoo.pipelines import StyleTransferPipeline
from zoo.style import Grid

HELP = """
A VAE draws blurred hearts. Style transfer changes their pixels until they have the texture of real images (the
*style*) and are still the same hearts (the *content*). The more the style weighs, the more texture; too much, and
anatomy is lost.
"""
GRID_HELP = "The sliders answer at once: every combination has been computed beforehand."
NO_GRID = f"""
No precomputed grid is attached (`{VARIABLE}`, a folder of `cardiac-zoo style-sweep`), so press **Run live**.
"""
WAITING = f"""
This tab waits for a model of the family style-transfer, or for a precomputed grid: a folder made by `cardiac-zoo
style-sweep` that the variable `{VARIABLE}` names.
"""
LIVE_GRID = Grid(content_weights=(0.01, 0.1, 1.0, 10.0, 100.0))  # what the sliders offer without a precomputed one
AVERAGE = "The mean over all training images: there is no single picture of it."
NAMES = ("Style weight", "Content weight", "Learning rate")


def build(catalogue: Catalogue, attached: Attached) -> None:
    """Adds the tab."""
    models = catalogue.that(lambda cls, index: cls is StyleTransferPipeline)
    with gr.Tab("Style transfer", id="style"):
        try:
            sweep = Sweep.from_environment(models)
        except ZooError as error:
            gr.Markdown(str(error))
            return
        if not models and not sweep:
            gr.Markdown(WAITING)
            return
        gr.Markdown(HELP)
        grid = sweep.grid if sweep else LIVE_GRID
        menu = _networks(catalogue, attached, models, sweep)
        values = (grid.style_weights, grid.content_weights, grid.learning_rates)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                gr.Markdown(GRID_HELP if sweep else NO_GRID)
                network = gr.Dropdown(menu, label="Feature network")
                count = sweep.contents if sweep else 1
                content = gr.Slider(1, max(count, 2), 1, step=1, label="Content image", visible=count > 1)
                sliders = [_slider(name, choices) for name, choices in zip(NAMES, values, strict=True)]
                with gr.Group(visible=bool(models)):
                    model = gr.Dropdown(models, label="Model", visible=len(models) > 1)
                    seed = seed_field(label="Seed of the content image")
                    iterations = gr.Slider(10, MAX_ITERATIONS, 100, step=10, label="Iterations")
                    start = gr.Button("Run live", variant="primary")
            with gr.Column(scale=3):
                status = gr.Markdown()
                result = gr.HTML(elem_classes="result")

    def chosen(positions) -> list[float]:
        """Weights and learning rate of the sliders' positions, which count from 1."""
        return [
            list(choices)[check_number(name.lower(), position, 1, len(choices)) - 1]
            for name, choices, position in zip(NAMES, values, positions, strict=True)
        ]

    @plain_errors
    def label(*positions):
        """The sliders' names with what they stand at."""
        return [_label(*named) for named in zip(NAMES, chosen(positions), strict=True)]

    @plain_errors
    def look_up(network, content, *positions):
        """HTML of a precomputed style transfer; positions of the sliders count from 1."""
        content = check_number("content image", content, 1, sweep.contents)
        if network in menu and network not in sweep.grid.feature_networks:
            return "This feature network is not in the precomputed grid: press **Run live**.", gr.skip()
        found = sweep.read(network, content - 1, *chosen(positions))
        return _words(found), _triptych(found, models and catalogue.load(models[0]).config.pixel_spacing_mm or None)

    @sampling
    def run(model, network, seed, iterations, *positions):
        """HTML of a style transfer as it happens; positions of the sliders count from 1."""
        pipe = catalogue.load(model)
        if not isinstance(pipe, StyleTransferPipeline):
            raise ZooError(f"model: expected one of {', '.join(models)}")
        known = live_networks(pipe.config.feature_network, attached.is_real)
        if network not in known:
            raise ZooError(f"feature network: live, {' or '.join(known)} can be run here")
        style_weight, content_weight, learning_rate = chosen(positions)
        settings = {
            "style_weight": style_weight,
            "content_weight": content_weight,
            "learning_rate": learning_rate,
            "num_iterations": check_number("iterations", iterations, 1, MAX_ITERATIONS),
        }
        seed = check_number("seed", seed, 0, MAX_SEED)
        styles = attached.hearts("train").set.images if attached.is_real else None

        def show(news):
            return "", pictures.progress(*news, "Changing pixels")

        found = yield from with_news(lambda tell: style_live(pipe, network, seed, styles, settings, tell), show)
        yield _words(found), _triptych(found, pipe.config.pixel_spacing_mm)

    for slider in sliders:
        slider.change(label, sliders, sliders, api_visibility="private", show_progress="hidden")
    if sweep:
        gr.on(
            None,  # when the page is opened and when anything is moved
            look_up,
            [network, content, *sliders],
            [status, result],
            preprocess=False,
            trigger_mode="always_last",
            show_progress="hidden",
            api_name="style",
        )
    if models:
        start.click(
            run,
            [model, network, seed, iterations, *sliders],
            [status, result],
            preprocess=False,
            show_progress_on=status,
            api_name="style_live",
            **SAMPLING,
        )


def _networks(catalogue: Catalogue, attached: Attached, models: list[str], sweep: Sweep | None) -> list[str]:
    """The menu: networks of the grid, and those that can be run."""
    of_models = [catalogue.indices[name][1].get("feature_network", "cvae-encoder") for name in models]
    live = [name for own in of_models for name in live_networks(own, attached.is_real)]
    return list(dict.fromkeys([*(sweep.grid.feature_networks if sweep else ()), *live]))


def _slider(name: str, choices) -> gr.Slider:
    """A slider over the values of a grid, by their position; its name tells the value."""
    start = (len(choices) + 1) // 2
    return gr.Slider(
        1,
        max(2, len(choices)),
        start,
        step=1,
        label=_title(name, list(choices)[start - 1]),
        interactive=len(choices) > 1,
        elem_classes="positions",
    )


def _title(name: str, value: float) -> str:
    return f"{name}: {value:g}"


def _label(name: str, value: float):
    return gr.update(label=_title(name, value))


def _words(found: Styled) -> str:
    before, after = found.losses
    harm = "" if found.dice is None else f" Masks before and after agree by a Dice of {found.dice:.2f}."
    return f"Style loss {before:.3g} → **{after:.3g}**, computed in {found.seconds:.1f} s.{harm}"


def _triptych(found: Styled, spacing: float | None) -> str:
    """Content, style and result."""
    style = (
        pictures.text_card(AVERAGE, "Style") if found.style is None else pictures.figure(found.style, spacing, "Style")
    )
    return pictures.gallery(
        [pictures.figure(found.content, spacing, "Content"), style, pictures.figure(found.image, spacing, "Result")],
        "large",
    )
