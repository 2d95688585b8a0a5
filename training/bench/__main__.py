"""`make bench`, or parts of it: `PYTHONPATH=training python -m bench --only training loop --blocks 6`."""

import argparse
import json
import os
from pathlib import Path

import zoo.datasets
from bench.parts import PARTS, Bench
from bench.report import page
from common.errors import told_in_one_line
from zoo.files import write_atomic
from zoo.hardware import describe_hardware

HERE = Path(__file__).parent


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measures speed and writes it down")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts; the others stay")
    parser.add_argument("--blocks", type=int, default=20, help="of each contender; at most three of a command")
    parser.add_argument("--steps", type=int, default=8, help="training steps of a block")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--sampling_steps", type=int, default=10)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--width", type=int, default=32, help="channels of the finest of three resolutions")
    parser.add_argument("--peers", default="outputs/bench/venv/bin/python", help="python of the peers' environment")
    parser.add_argument("--acdc", help="the download; the phantom without it")
    parser.add_argument("--dataset", help="folder of `cardiac-zoo data` to train and evaluate on; phantom by default")
    parser.add_argument("--folder", default="outputs/bench", help="what has been measured so far")
    parser.add_argument("--output", default=str(HERE / "RESULTS.md"))
    asked = parser.parse_args(arguments)

    folder = Path(asked.folder)
    folder.mkdir(parents=True, exist_ok=True)
    dataset = Path(asked.dataset or folder / "phantom-64")
    if not dataset.exists():
        zoo.datasets.save(zoo.datasets.build_phantom(num_patients=140, seed=0), dataset)  # 1,000 images to compare with
    settings = {name: getattr(asked, name) for name in ("batch_size", "steps", "sampling_steps", "threads", "width")}
    settings |= {"bf16": asked.precision == "bf16", "size": 64, "dataset": str(dataset.resolve())}
    acdc = Path(asked.acdc) if asked.acdc else None
    bench = Bench(asked.blocks, settings, Path(asked.peers), acdc, folder)

    file = folder / "results.json"
    for name in asked.only:
        busy = os.getloadavg()[0]
        rows = PARTS[name](bench)
        results = json.loads(file.read_text()) if file.exists() else {}
        told = f"{asked.blocks} blocks, batch {asked.batch_size}, {asked.precision}, {asked.threads} thread(s)"
        told += f", {asked.steps} training steps a block, {asked.sampling_steps} sampling steps"
        results[name] = {
            "rows": rows,
            "settings": told if "images_per_second" in rows[0] else f"{min(3, asked.blocks)} runs",
            "machine": describe_hardware(),
            "load": f"Processes that wanted a core before it began: {busy:.1f}",
        }
        write_atomic(file, json.dumps(results))
        write_atomic(asked.output, page(results))
        print(f"{asked.output}: {name}")


if __name__ == "__main__":
    with told_in_one_line():
        main()
