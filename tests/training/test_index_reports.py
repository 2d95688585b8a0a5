"""Every line of the studies on one page."""

import json
import shutil

import index_reports
from zoo.published.metrics_file import save


def test_rows_say_what_was_run_and_what_was_not(metrics, tmp_path, monkeypatch):
    page = tmp_path / "training" / "reports" / "README.md"
    page.parent.mkdir(parents=True)
    shutil.copy(index_reports.ROOT / "training" / "reports" / "README.md", page)
    record = page.parent / "study_a" / "vae"
    save(record / "metrics.json", metrics)
    plan = {"recipe": {"epochs": 100}, "epochs": 40, "dataset": "f"}
    (record / "study.json").write_text(json.dumps({"plan": plan, "evaluated": {"samples": 1000, "groups": None}}))
    monkeypatch.setattr(index_reports, "ROOT", tmp_path)
    index_reports.main()
    lines = [line for line in page.read_text().splitlines() if line[:2] == "| "]
    rows = {line.split(" | ")[0].strip("| "): line for line in reversed(lines)}  # of a title the first one
    figures = "SSIM 0.712, CC 0.900, MSE 0.0040, FID (EfficientNet-Lite0) 85.0"
    assert f"40 of 100 epochs | {figures} | SSIM 0.903" in rows["VAE"]
    assert "not yet | – | SSIM 0.941" in rows["GAN"]
    assert "not run here: weights" in rows["ResNet50, lesions"]
    assert 'ONLY="ddpm ddpm-1000"' in rows["Diffusion, its own 1,000 steps"]
    before = page.read_text()
    index_reports.main()
    assert page.read_text() == before


def test_the_page_is_what_the_records_say():
    page = index_reports.ROOT / "training" / "reports" / "README.md"
    for study in "abc":
        begin, end = f"<!-- study-{study}:begin -->\n", f"<!-- study-{study}:end -->"
        text = page.read_text().split(begin)[1].split(end)[0]
        assert [line.split(" | ")[0] for line in text.strip().splitlines()] == [
            line.split(" | ")[0] for line in index_reports.section(study).strip().splitlines()
        ]
