# Needs Python 3.11 or newer, git and a package registry. Everything it writes lies in .venv and outputs.

# A version manager may put commands on the path that do not run, so each candidate is tried.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin

.PHONY: setup bench demo space study-a study-b study-c browser test test-all test-lowest quality

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer: none of python3.11, python3.12, python3.13, python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]' --constraint constraints.txt
	touch $@

# Trains two small models and shows the published ones. `make demo DATASET=DIR` measures the published ones on DIR.
demo: setup
	$(BIN)/python training/demo.py $(if $(DATASET),--dataset "$(DATASET)")

# Opens the Space on this machine. `ZOO_MODELS=FOLDER_OR_HUB_ID,… make space` shows other models than the published ones.
space: setup
	$(BIN)/python spaces/cardiac-mri-zoo/app.py

# A whole study: every system trained with its own recipe, judged, and laid beside the study's figures: outputs/study_*/.
# DATASET (ACDC), DATASET_MEDNIST and DATASET_ISIC are folders of `cardiac-zoo data`, or the downloads. FRACTION=1.0 is the
# study itself, days to weeks on a CPU; the defaults are an epoch or a few of each system, which shows that all of it runs.
# ONLY="gan dcgan" runs some systems, REPORTS=DIR keeps what is finished for another sitting, DRY_RUN=1 prints the hours,
# LAUNCH="--num_processes 8 --multi_gpu" goes to accelerate launch.
study-a: FRACTION ?= 0.02
study-b: FRACTION ?= 0.0005
study-c: FRACTION ?= 0.01
study-a study-b study-c: setup
	$(BIN)/python training/study.py $(@:study-%=%) --fraction $(FRACTION) \
		$(if $(DATASET),--dataset "$(DATASET)") \
		$(if $(DATASET_MEDNIST),--dataset_mednist "$(DATASET_MEDNIST)") \
		$(if $(DATASET_ISIC),--dataset_isic "$(DATASET_ISIC)") $(if $(ONLY),--only $(ONLY)) \
		$(if $(REPORTS),--reports "$(REPORTS)") $(if $(LAUNCH),--launch="$(LAUNCH)") $(if $(DRY_RUN),--dry_run)

# Where root may install it, the browser that tests drive, and axe-core, which tests accessibility in it; tests that miss
# one of them are skipped.
AXE := .venv/axe/node_modules/axe-core/axe.min.js
browser:
	@which chromium chromium-browser google-chrome | grep -q . || test "$$(id -u)" != 0 || timeout 300 sh -c \
		"apt-get update && apt-get install --yes --no-install-recommends chromium" >/dev/null 2>&1 || true
	@test -f $(AXE) || timeout 120 npm install --silent --no-audit --no-fund --prefix .venv/axe axe-core@4 \
		>/dev/null 2>&1 || true

# Each worker begins with its half of the files and then helps the other, so that what files share is made once.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

test: setup browser
	$(PYTEST) -m "not slow"

test-all: setup browser
	$(PYTEST)

# Speed beside that of peers in an environment of their own: training/bench/RESULTS.md. BENCH="--only training --blocks 6"
# has the options, ACDC=DIR builds that dataset and not the phantom. torchvision, which no peer uses here, is left out.
PEERS := outputs/bench/venv
bench: setup
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet einops monai pillow scipy tqdm \
		$$(grep -E '^(accelerate|numpy|torch)==' constraints.txt)
	$(PEERS)/bin/python -m pip install --quiet --no-deps denoising-diffusion-pytorch ema-pytorch pytorch-fid
	PYTHONPATH=training $(BIN)/python -m bench $(if $(ACDC),--acdc "$(ACDC)") $(BENCH)

# The core with the lowest versions that pyproject.toml allows. One test is left out: older diffusers warn where it wants
# silence.
LOWEST := outputs/lowest
test-lowest:
	test -x $(LOWEST)/tools/bin/uv || { $(PYTHON) -m venv $(LOWEST)/tools && $(LOWEST)/tools/bin/python -m pip install --quiet uv; }
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/tools/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct \
		--editable '.[dev]'
	$(LOWEST)/bin/python -m pytest -q tests/models tests/published tests/pipelines tests/datasets/test_phantom.py \
		--deselect tests/published/test_loading_from_hub.py::test_with_diffusers_alone

quality: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
