"""A model that a visitor names by its Hub id: what may come in, and what is told of the others."""

import pytest
from huggingface_hub import HfApi

from zoo.errors import ZooError
from zoo.hub.push import push_model


@pytest.fixture
def catalogue(tmp_path):
    from catalogue import Catalogue

    return Catalogue({"own": tmp_path})


def test_a_public_model_of_the_zoo_joins_for_a_while(signed_in, publishable, catalogue, monkeypatch):
    import catalogue as module
    from asking import ask
    from sampling import sample

    push_model(publishable, "zoo/guest", api=signed_in.api)
    catalogue.invite("zoo/guest")
    *_, result = sample(catalogue, ask(model="zoo/guest", count=1, steps=1))
    assert result.images.shape[0] == 1 and 'from_pretrained("zoo/guest")' in result.python
    assert catalogue.names == ["own"]  # nobody else is shown it
    monkeypatch.setattr(module, "GUESTS", 1)
    push_model(publishable, "zoo/second-guest", api=signed_in.api)
    catalogue.invite("zoo/second-guest")
    with pytest.raises(ZooError, match="model: expected one of own"):
        catalogue.load("zoo/guest")


def test_what_is_private_large_or_no_model_stays_outside(signed_in, publishable, catalogue, monkeypatch):
    import guests

    push_model(publishable, "zoo/secret-guest", private=True, api=signed_in.api)
    with pytest.raises(ZooError, match="Hub id: zoo/secret-guest: there is no such public model"):
        catalogue.invite("zoo/secret-guest")  # though the Space's own token may read it
    for wrong in ("", "../models", "nobody", "a/b/c", None):
        with pytest.raises(ZooError, match="Hub id: expected owner/name"):
            catalogue.invite(wrong)
    signed_in.api.create_repo("zoo/no-model", exist_ok=True)
    with pytest.raises(ZooError, match="zoo/no-model: no model"):
        catalogue.invite("zoo/no-model")
    push_model(publishable, "zoo/large-guest", api=signed_in.api)
    monkeypatch.setattr(guests, "MAX_MB", 0)
    with pytest.raises(ZooError, match="expected at most 0 MB of weights"):
        catalogue.invite("zoo/large-guest")
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: (_ for _ in ()).throw(OSError("no way there")))
    with pytest.raises(ZooError, match=r"the Hub could not be asked \(OSError\)"):
        catalogue.invite("zoo/elsewhere")
