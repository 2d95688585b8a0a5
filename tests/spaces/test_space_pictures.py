"""Images as HTML."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image


def images_in(html: str) -> list[Image.Image]:
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", html)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 6, 3)])
def test_a_figure_holds_the_pixels_and_no_metadata(shape):
    from pictures import figure

    pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    (image,) = images_in(figure(pixels, 2.0))
    np.testing.assert_array_equal(np.asarray(image), pixels.squeeze())
    assert image.info == {} and image.mode == ("RGB" if shape[-1] == 3 else "L")


@pytest.mark.parametrize(
    ("pixels", "spacing", "length", "share"), [(64, 2.0, 50, 39.06), (16, 2.0, 10, 31.25), (180, 2.0, 50, 13.89)]
)
def test_the_scale_bar_is_as_long_as_it_says(pixels, spacing, length, share):
    from pictures import figure

    html = figure(np.zeros((pixels, pixels), np.uint8), spacing)
    assert f'style="width:{share:.2f}%">{length} mm<' in html
    assert share / 100 * pixels * spacing == pytest.approx(length, rel=1e-3)


def test_there_is_no_scale_bar_without_a_spacing():
    from pictures import figure

    assert "mm" not in figure(np.zeros((8, 8), np.uint8))


def test_a_mask_lies_over_its_image_in_colours_that_can_be_told_apart():
    from pictures import COLOURS, figure

    mask = np.array([[0, 1], [2, 3]], np.uint8)
    image, layer = images_in(figure(np.full((2, 2), 9, np.uint8), None, mask=mask))
    layer = np.asarray(layer)
    assert layer[0, 0, 3] == 0 and tuple(layer[1, 1, :3]) == COLOURS[3] and np.asarray(image)[0, 0] == 9


def test_words_are_escaped():
    from pictures import figure, text_card

    for html in (figure(np.zeros((8, 8), np.uint8), None, '<script>"'), text_card('<script>"')):
        assert "<script>" not in html and "&lt;script&gt;&quot;" in html


def test_a_scrubber_shows_one_of_its_figures_first():
    from pictures import figure, scrubber

    figures = [figure(np.full((4, 4), value, np.uint8), None, f"moment {value}") for value in (1, 2, 3)]
    html = scrubber(figures, "When", 1)
    assert [np.asarray(image)[0, 0] for image in images_in(html)] == [2, 1, 2, 3]
    assert 'max="2" value="1"' in html and html.count('class="chosen"') == 1


def test_news_fail_nobody_and_end_with_the_result():
    from events import with_news

    def work(tell):
        for number in range(3):
            tell(number)
        return "done"

    news = with_news(work, lambda number: number * 10)
    seen = []
    with pytest.raises(StopIteration) as end:
        while True:
            seen.append(next(news))
    assert end.value.value == "done" and set(seen) <= {0, 10, 20}


def test_what_goes_wrong_in_the_thread_is_raised():
    from events import with_news

    def work(tell):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(with_news(work, str))


def test_work_stops_when_the_visitor_leaves():
    from events import with_news
    from jobs import Stopped

    steps, stopped = [], []

    def work(tell):
        try:
            for number in range(10**9):
                tell(number)
                steps.append(number)
        except Stopped:
            stopped.append(True)
            raise

    news = with_news(work, lambda number: number)
    next(news)
    news.close()
    assert stopped and len(steps) < 10**9
