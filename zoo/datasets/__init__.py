"""Datasets: one builder a source, each giving patient-level splits of 8-bit images ready for the Hub."""

from zoo.datasets.acdc import build_acdc
from zoo.datasets.built import BuiltDataset, check_compatible, images
from zoo.datasets.class_folders import build_mednist
from zoo.datasets.folder import build_folder
from zoo.datasets.isic import build_isic
from zoo.datasets.mnms import build_mnms, build_mnms2
from zoo.datasets.phantom import build_phantom
from zoo.datasets.presets import PRESETS, Preset
from zoo.datasets.report import report_text
from zoo.datasets.store import load, save
from zoo.datasets.sunnybrook import build_sunnybrook

__all__ = [
    "PRESETS",
    "BuiltDataset",
    "Preset",
    "build_acdc",
    "build_folder",
    "build_isic",
    "build_mednist",
    "build_mnms",
    "build_mnms2",
    "build_phantom",
    "build_sunnybrook",
    "check_compatible",
    "images",
    "load",
    "report_text",
    "save",
]
