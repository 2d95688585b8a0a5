"""kill -9 in the middle of a push: nobody sees half a model, and pushing again completes it."""

import json
import multiprocessing

import pytest

import zoo
from zoo.cards import model_card
from zoo.files import sha256
from zoo.hub.pull import pull
from zoo.hub.push import push_model
from zoo.hub.upload import files_of

# Where the push is killed: while the weights are sent, when all files are there and the commit is not, before the tag
MOMENTS = {"weights": r"^/lfs/", "commit": r"/commit/main$", "tag": r"/tag/"}


def push_and_kill(hub, folder, repo_id: str, moment: str) -> None:
    """Kills a process that pushes, once it waits for the server's answer."""
    pushing = multiprocessing.get_context("fork").Process(  # has imported all that it needs
        target=push_model, args=(folder, repo_id), kwargs={"tag": "v2", "api": hub.api}
    )
    with hub.hold(MOMENTS[moment]) as wait:
        pushing.start()
        wait()
        pushing.kill()
        pushing.join(60)
    assert pushing.exitcode == -9


def contents(folder) -> dict[str, bytes]:
    """All files but the card, which a push renders for its repo."""
    return {name: path.read_bytes() for name, path in files_of(folder).items() if name != "README.md"}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_push_is_not_seen_and_completes_when_done_again(hub, publishable, tmp_path, moment):
    repo_id = f"zoo/killed-{moment}"
    push_model(publishable, repo_id, tag="v1", api=hub.api)
    first = contents(publishable)

    pipe = zoo.from_pretrained(publishable)
    for parameter in pipe.unet.parameters():
        parameter.data *= 0.5
    metrics = json.loads((publishable / "metrics.json").read_text())
    picture = (publishable / "samples.png").read_bytes()
    pipe.save_pretrained(publishable)
    weights = "unet/diffusion_pytorch_model.safetensors"
    metrics["model"]["sha256"] = {weights: sha256(publishable / weights)}
    (publishable / "metrics.json").write_text(json.dumps(metrics))
    (publishable / "samples.png").write_bytes(picture)
    (publishable / "recipe.yaml").write_text("name: tiny\n")
    model_card.render_card(publishable)
    second = contents(publishable)
    assert first[weights] != second[weights]

    push_and_kill(hub, publishable, repo_id, moment)
    seen = contents(pull(repo_id, tmp_path / "seen", api=hub.api))
    assert seen == (second if moment == "tag" else first)  # whole, in either case
    assert [tag.name for tag in hub.api.list_repo_refs(repo_id).tags if tag.name == "v2"] == []

    push_model(publishable, repo_id, tag="v2", api=hub.api)
    assert contents(pull(repo_id, tmp_path / "v2", revision="v2", api=hub.api)) == second
    assert contents(pull(repo_id, tmp_path / "v1", revision="v1", api=hub.api)) == first
    assert len(hub.api.list_repo_commits(repo_id)) == 3  # the repo's first, and one a version


def test_of_a_first_push_that_was_killed_there_is_no_model(signed_in, publishable):
    push_and_kill(signed_in, publishable, "zoo/killed-first", "commit")
    assert signed_in.api.list_repo_files("zoo/killed-first") == [".gitattributes"]
    with pytest.raises(zoo.ZooError, match="zoo/killed-first: no model, the repo has no model_index.json"):
        zoo.from_pretrained("zoo/killed-first")
