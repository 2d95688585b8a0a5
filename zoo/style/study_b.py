"""The settings of style transfer that study B prints, and the grid that it walked."""

# By figure: the feature network and the settings under it (figures 22a, 22b and 23)
PRINTED = {
    "vgg19, figure 22a": ("vgg19", {"learning_rate": 5e-2, "style_weight": 1e-9, "content_weight": 1e-10}),
    "vgg19, figure 22b": ("vgg19", {"learning_rate": 5e-5, "style_weight": 1e-6, "content_weight": 1e3}),
    "encoder, figure 23": ("cvae-encoder", {"learning_rate": 5e-2, "style_weight": 1e-2, "content_weight": 1e-10}),
}
WEIGHTS = tuple(float(f"1e{power}") for power in range(-15, 17))
LEARNING_RATES = (0.05, 0.01, 0.005, 0.001, 5e-4, 1e-4, 5e-5, 1e-5)
NUM_ITERATIONS = 1000
