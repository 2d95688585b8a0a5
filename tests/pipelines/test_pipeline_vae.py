import pytest
import torch

import zoo
from zoo.models import DenseVAE
from zoo.pipelines import VAEPipeline


def test_projection_is_the_decoded_mean(cvae):
    images = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    mean, logvar = cvae.vae.encode(images * 2 - 1)
    assert (logvar.exp() > 0.01).all()  # so that a draw would differ
    torch.testing.assert_close(cvae.project(images), cvae.vae.decode(mean) / 2 + 0.5)
    other = cvae.project(images, generator=torch.Generator().manual_seed(3))
    assert torch.equal(cvae.project(images), other)


def test_a_sample_is_a_decoded_normal_latent(cvae):
    seed = torch.Generator().manual_seed(4)
    image = cvae(1, generator=[seed], output_type="pt").images
    latent = torch.randn(1, cvae.latent_dimensions, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(image, cvae.vae.decode(latent) / 2 + 0.5)


def test_the_latent_is_multiplied_by_the_temperature_of_the_call_or_of_the_model(cvae, tmp_path):
    def draw(pipe, **settings):
        return pipe(1, generator=[torch.Generator().manual_seed(4)], output_type="pt", **settings).images

    latent = torch.randn(1, cvae.latent_dimensions, generator=torch.Generator().manual_seed(4))
    hot = cvae.vae.decode(3 * latent) / 2 + 0.5
    torch.testing.assert_close(draw(cvae, temperature=3), hot)
    VAEPipeline(cvae.vae, default_temperature=3).save_pretrained(tmp_path)
    loaded = zoo.from_pretrained(tmp_path)
    assert loaded.default_settings == {"temperature": 3}
    torch.testing.assert_close(draw(loaded), hot)
    assert torch.equal(draw(loaded, temperature=1), draw(cvae))
    with pytest.raises(ValueError, match="temperature: expected a number above 0, got 0"):
        draw(cvae, temperature=0)


def test_the_family_is_stored_with_the_model(tmp_path, cvae):
    dense = VAEPipeline(DenseVAE(8, 3, latent_dim=4, hidden_dims=[8]).eval())
    for name, pipe in (("vae", dense), ("cvae", cvae)):
        pipe.save_pretrained(tmp_path / name)
        loaded = zoo.from_pretrained(tmp_path / name)
        assert loaded.family == name
        seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
        one, other = (p(2, generator=g, output_type="pt").images for p, g in zip((pipe, loaded), seeds, strict=True))
        assert torch.equal(one, other)


def test_classes_are_refused(cvae):
    with pytest.raises(ValueError, match="class_labels: expected None"):
        cvae(1, class_labels="HCM")
