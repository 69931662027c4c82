# make setup        everything the rest needs, in .venv and web/node_modules
# make demo         a living Bangkok: PORT=8080 DATA=dir SPEED=720 KIT_DATA=dir
# make test         the whole suite
# make check        style, types, imports, without running anything
# make bench        the speed table (SCALE=large for the long runs)
# make screenshots  every main view, Thai and English, light and dark, phone and desk

PORT ?= 8080
SPEED ?= 720
DATA ?=
KIT_DATA ?=

BIN := .venv/bin
SCREENS := src/nagara/http/static/index.html
# One more than there are cores: tests wait for engines as often as they reckon.
WORKERS := $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -gt 7 ] && echo 8 || echo $$((n + 1)))
WEB := $(shell find web -path web/node_modules -prune -o -path web/test-results -prune -o -type f -print)

# uv builds nothing from another place than the package index, and takes the Python that is here.
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
# Where an image forbids Python to keep what it compiled, each of the suite's hundred processes would
# compile a thousand modules again: seconds each. Empty is as if it were not set.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test check bench screenshots clean
.DELETE_ON_ERROR:

setup: .venv/.made $(SCREENS)

.venv/.made: pyproject.toml uv.lock scripts/uv.sh
	@uv=$$(sh scripts/uv.sh) && "$$uv" sync --frozen --all-groups --quiet --compile-bytecode
	@touch $@

web/node_modules/.made: web/package.json web/package-lock.json
	@command -v npm >/dev/null || { \
	  echo "Node 20 with npm is needed to build the screens. / ต้องมี Node 20 และ npm เพื่อสร้างหน้าจอ" >&2; exit 1; }
	@echo "Fetching what the screens are built of …" >&2
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(SCREENS): web/node_modules/.made $(WEB)
	@echo "Building the screens …" >&2
	@cd web && npm run --silent build >.build.log 2>&1 || { cat .build.log >&2; exit 1; }
	@rm -f web/.build.log
	@touch $@

demo: setup
	@exec $(BIN)/nagara demo bangkok --port $(PORT) --speed $(SPEED) \
	  $(if $(DATA),--data "$(DATA)") $(if $(KIT_DATA),--kit-data "$(KIT_DATA)")

test: setup
	@sh scripts/chromium.sh
	@cd web && npm test --silent
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --ignore tests/e2e
	@$(BIN)/pytest tests/e2e

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@cd web && npm run --silent check

bench: setup
	@$(BIN)/nagara bench

screenshots: setup
	@sh scripts/chromium.sh
	@$(BIN)/python scripts/screenshots.py

clean:
	@rm -rf .venv .uv web/node_modules src/nagara/http/static dist
