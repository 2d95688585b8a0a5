"""The results of a visit: the last ones are kept, the same request once, and each can be called back."""

import gradio as gr
import numpy as np


def result(seed: int):
    from asking import Request
    from sampling import Result

    request = Request(model="a", seed=seed, count=1)
    return Result(request, np.zeros((1, 8, 8, 1), np.float32), None, {}, [{}], None, "", {}, "a", "", 0.0)


def test_the_last_results_are_kept():
    from tab_generate import KEPT, keep

    kept, menu = keep(result(0), [])
    assert len(kept) == 1 and not menu["visible"]
    for seed in range(1, KEPT + 3):
        kept, menu = keep(result(seed), kept)
    assert [one.request.seed for one in kept] == list(range(KEPT + 2, 2, -1)) and menu["visible"]
    kept, menu = keep(result(5), kept)
    assert kept[0].request.seed == 5 and len(kept) == KEPT  # once
    assert menu["value"] == kept[0].request.query == menu["choices"][0]["value"]
    assert "seed 5, sample 0" in menu["choices"][0]["text"]


def test_what_failed_is_not_kept():
    from tab_generate import keep

    assert keep(None, [result(0)]) == (gr.skip(), gr.skip())
