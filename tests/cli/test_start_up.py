"""What a command costs before it does anything."""

import re
import subprocess
import sys


def test_generate_adds_little_to_what_diffusers_costs(dcgan, tmp_path):
    """Both in one process, so that a busy machine slows both; 2 % when it was written."""
    dcgan.save_pretrained(tmp_path / "model")
    code = f"""
import sys
from diffusers import DiffusionPipeline
print("ours from here", file=sys.stderr)
sys.argv = ["cardiac-zoo", "generate", {str(tmp_path / "model")!r}, "--output", {str(tmp_path / "images")!r}]
from zoo.cli import main
main()
"""
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs, ours = done.stderr.split("ours from here")
    microseconds = [sum(map(int, re.findall(r"import time: +(\d+) \|", part))) for part in (theirs, ours)]
    assert 0 < microseconds[1] < 0.1 * microseconds[0]
