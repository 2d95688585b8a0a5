"""Fixtures for all tests: a Hub server in a process of its own, and models small enough to run in a blink."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# Of a blocked import, Python code run by `Hub.python` sees what a machine without the package sees
BLOCK_ZOO = """
import sys
class NoZoo:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "zoo":
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, NoZoo())
"""


@dataclass
class Hub:
    """A running Hub server.

    Args:
        url: Its address.
        token: Of the user `zoo`, who may write to `zoo/…`.
        cache: An empty folder that the client's caches go to.
    """

    url: str
    token: str
    cache: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment of a process that takes this server for the Hub."""
        own = {"HF_ENDPOINT": self.url, "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": self.token, "HF_HOME": str(self.cache)}
        return {**os.environ, **own, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "OMP_NUM_THREADS": "1"}

    @property
    def api(self):
        """The real client, signed in."""
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.url, token=self.token)

    def python(self, code: str, *, with_zoo: bool = True) -> str:
        """Runs Python code in a fresh process, where `zoo` cannot be imported if it is told so; returns its output."""
        code = code if with_zoo else BLOCK_ZOO + code
        done = subprocess.run([sys.executable, "-c", code], env=self.env, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """A Hub server of this test session's own."""
    folder = tmp_path_factory.mktemp("hub")
    server = [sys.executable, str(Path(__file__).parent / "hub" / "hub_server.py"), str(folder / "blobs")]
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), "the Hub server did not start"
        yield Hub(url, "hf_admin", folder / "cache")
        process.terminate()
