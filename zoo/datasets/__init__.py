from zoo.datasets.acdc import build_acdc
from zoo.datasets.built import BuiltDataset, check_compatible, images
from zoo.datasets.presets import PRESETS, Preset
from zoo.datasets.store import load, push, save
