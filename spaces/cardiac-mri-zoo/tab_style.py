"""Study B's dashboard: content, style and result side by side, from a precomputed grid or as it happens."""

import gradio as gr

import pictures
from asking import MAX_SEED, check_number
from attached import Attached
from catalogue import Catalogue
from events import on_gpu, with_news
from jobs import Jobs, News
from panel import Panel, Task
from styling import MAX_ITERATIONS, VARIABLE, Styled, Sweep, live_networks, style_live
from widgets import Select, models, options, seed_field
from zoo.errors import ZooError
from zoo.pipelines import StyleTransferPipeline
from zoo.style import Grid

HELP = """
A VAE draws blurred hearts. Style transfer changes their pixels until they have the texture of real images (the
*style*) and are still the same hearts (the *content*). The more the style weighs, the more texture; too much, and
anatomy is lost.
"""
GRID_HELP = "The menus answer at once: every combination has been computed beforehand."
NO_GRID = f"""
No precomputed grid is attached (`{VARIABLE}`, a folder of `cardiac-zoo style-sweep`), so press **Run live**.
"""
WAITING = f"""
This tab waits for a model of the family style-transfer, or for a precomputed grid: a folder made by `cardiac-zoo
style-sweep` that the variable `{VARIABLE}` names.
"""
LIVE_GRID = Grid(content_weights=(0.01, 0.1, 1.0, 10.0, 100.0))  # what is offered without a precomputed one
AVERAGE = "The mean over all training images: there is no single picture of it."
NAMES = ("Style weight", "Content weight", "Learning rate")


def build(catalogue: Catalogue, attached: Attached, jobs: Jobs, page: gr.Blocks) -> None:
    """Adds the content of the sheet."""
    names = catalogue.that(lambda cls, index: cls is StyleTransferPipeline)
    try:
        sweep = Sweep.from_environment(names)
    except ZooError as error:
        gr.Markdown(str(error))
        return
    if not names and not sweep:
        gr.Markdown(WAITING)
        return
    grid = sweep.grid if sweep else LIVE_GRID
    menu = _networks(catalogue, attached, names, sweep)
    values = (grid.style_weights, grid.content_weights, grid.learning_rates)
    with gr.Row(elem_classes="split"):
        with gr.Column(scale=2, min_width=300, elem_classes="asks"):
            gr.Markdown(HELP + (GRID_HELP if sweep else NO_GRID))
            network = Select(options(menu), menu[0], title="Feature network")
            count = sweep.contents if sweep else 1
            content = Select(
                options((f"{i + 1} of {count}", str(i)) for i in range(count)),
                "0",
                title="Content image",
                visible=count > 1,
            )
            menus = [_menu(name, choices) for name, choices in zip(NAMES, values, strict=True)]
            with gr.Column(visible=bool(names)):
                model = models(catalogue, names, visible=len(names) > 1)
                seed = seed_field(label="Seed of the content image")
                iterations = gr.Slider(10, MAX_ITERATIONS, 100, step=10, label="Iterations")
                panel = Panel(jobs, "style", "Run live")
        with gr.Column(scale=5, min_width=300):
            panel.add_view()

    def chosen(sent) -> list[float]:
        """Weights and learning rate."""
        found = []
        for name, choices, text in zip(NAMES, values, sent, strict=True):
            known = {f"{value:g}": value for value in choices}
            if text not in known:
                raise ZooError(f"{name.lower()}: expected one of {', '.join(known)}")
            found.append(known[text])
        return found

    def ask(network, content, *sent) -> Task:
        if network in menu and network not in sweep.grid.feature_networks:
            raise ZooError("feature network: this one is not in the precomputed grid; press Run live")
        wanted = chosen(sent)
        spacing = catalogue.load(names[0]).config.pixel_spacing_mm if names else None
        return Task(lambda: [_html(sweep.read(network, int(content), *wanted), spacing)], at_once=True)

    def ask_live(model, network, seed, iterations, *sent) -> Task:
        style_weight, content_weight, learning_rate = chosen(sent)
        settings = {
            "style_weight": style_weight,
            "content_weight": content_weight,
            "learning_rate": learning_rate,
            "num_iterations": check_number("iterations", iterations, 1, MAX_ITERATIONS),
        }
        seed = check_number("seed", seed, 0, MAX_SEED)
        return Task(lambda: _run(catalogue, attached, model, network, seed, settings))

    if sweep:
        moved = [each.input for each in (network, content, *menus)]
        panel.on([page.load, *moved], ask, [network, content, *menus], str)
    if names:
        panel.on(panel.start.click, ask_live, [model, network, seed, iterations, *menus], str)


@on_gpu
def _run(catalogue: Catalogue, attached: Attached, model: str, network: str, seed: int, settings: dict):
    yield News(f"Loading {model}")
    pipe = catalogue.load(model)
    if not isinstance(pipe, StyleTransferPipeline):
        raise ZooError("model: expected one of the family style-transfer")
    known = live_networks(pipe.config.feature_network, attached.is_real)
    if network not in known:
        raise ZooError(f"feature network: live, {' or '.join(known)} can be run here")
    styles = attached.hearts("train").set.images if attached.is_real else None

    def show(news):
        return News("Changing pixels", *news)

    found = yield from with_news(lambda tell: style_live(pipe, network, seed, styles, settings, tell), show)
    yield _html(found, pipe.config.pixel_spacing_mm)


def _networks(catalogue: Catalogue, attached: Attached, models: list[str], sweep: Sweep | None) -> list[str]:
    """The menu: networks of the grid, and those that can be run."""
    of_models = [catalogue.indices[name][1].get("feature_network", "cvae-encoder") for name in models]
    live = [name for own in of_models for name in live_networks(own, attached.is_real)]
    return list(dict.fromkeys([*(sweep.grid.feature_networks if sweep else ()), *live]))


def _menu(name: str, choices) -> Select:
    """A menu of the values of a grid; the middle one is chosen."""
    texts = [f"{value:g}" for value in choices]
    return Select(options(texts), texts[(len(texts) - 1) // 2], title=name)


def _html(found: Styled, spacing: float | None) -> str:
    """The three pictures, and what was measured."""
    before, after = found.losses
    harm = "" if found.dice is None else f" Masks before and after agree by a Dice of {found.dice:.2f}."
    words = f"Style loss {before:.3g} → {after:.3g}, computed in {found.seconds:.1f} s.{harm}"
    return f"<p class='provenance'>{words}</p>{_triptych(found, spacing)}"


def _triptych(found: Styled, spacing: float | None) -> str:
    """Content, style and result."""
    style = (
        pictures.text_card(AVERAGE, "Style") if found.style is None else pictures.figure(found.style, spacing, "Style")
    )
    content = pictures.figure(found.content, spacing, "Content", "Content, a generated image")
    return pictures.gallery(
        [content, style, pictures.figure(found.image, spacing, "Result", "Generated image")], "large"
    )
