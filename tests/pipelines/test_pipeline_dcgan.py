import pytest
import torch


def test_projection_finds_an_image_of_its_own(dcgan):
    made = dcgan(2, generator=torch.Generator().manual_seed(0), output_type="pt").images
    made = made + 0.01 * torch.randn_like(made)
    found = dcgan.project(made.clamp(0, 1), generator=torch.Generator().manual_seed(1))
    other = dcgan(2, generator=torch.Generator().manual_seed(5), output_type="pt").images
    assert (found - made).square().mean() < 0.1 * (other - made).square().mean()


def test_more_restarts_are_never_worse(dcgan):
    target = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))

    def errors(restarts: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        found = dcgan.project(target, generator=generator, num_steps=10, num_restarts=restarts)
        return (found - target).square().mean(dim=(1, 2, 3))

    assert (errors(3) <= errors(1) + 1e-6).all()


def test_projection_leaves_the_network_as_it_was(dcgan):
    before = {name: value.clone() for name, value in dcgan.generator_model.state_dict().items()}
    dcgan.project(torch.rand(1, 1, 16, 16), num_steps=2)
    assert all(torch.equal(value, before[name]) for name, value in dcgan.generator_model.state_dict().items())
    assert all(parameter.requires_grad for parameter in dcgan.generator_model.parameters())


def test_classes_are_refused(dcgan):
    with pytest.raises(ValueError, match="class_labels: expected None"):
        dcgan(1, class_labels="HCM")
