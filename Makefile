# 时空 Shikong. Every target sets up what it needs; run again it is quick and harmless.
SIZE ?= small
BIN := .venv/bin

.PHONY: help up down test test-clients bench bench-load bench-history bench-raster bench-tiles bench-conflicts bench-site-check bench-hydrology bench-observations bench-telemetry bench-watershed lint format setup setup-dev setup-clients clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

up: setup ## start everything and print the address (SIZE=tiny|small|town|city for the sample city)
	@$(BIN)/shikong up --size $(SIZE)

down: ## stop the server and the private database; data stays
	@if [ -x $(BIN)/shikong ]; then $(BIN)/shikong down; fi

setup: ## install what is missing: PostGIS, the virtual environment, the pages' scripts
	@scripts/setup.sh base

setup-dev: ## the same with the tools for tests
	@scripts/setup.sh dev

setup-clients: ## the same with QGIS, GDAL and Chromium
	@scripts/setup.sh clients

test: setup-dev ## all tests but those that drive outside clients, on two processors
	@$(BIN)/python -m pytest -m "not clients" -n 2 --dist loadfile

test-clients: setup-clients ## QGIS, GDAL, OWSLib, Chromium and the notebook against a running server
	@$(BIN)/python -m pytest -m clients tests/clients

bench: setup-dev ## print requests/s and ratios against the peers
	@$(BIN)/python bench/run.py

bench-load: setup-dev ## print how long a load takes beside raw COPY
	@$(BIN)/python bench/load.py

bench-history: setup-dev ## print whether a long history slows today's answers
	@$(BIN)/python bench/history.py

bench-raster: setup-dev ## print how long 5 GB take to become a COG, beside gdal_translate
	@$(BIN)/python bench/raster.py

bench-tiles: setup-dev ## print how quick kept tiles and tiles of the whole city are, beside nginx and rio-tiler
	@$(BIN)/python bench/tiles.py

bench-conflicts: setup-dev ## print how quick plans are laid over each other, beside geopandas and PostGIS
	@$(BIN)/python bench/conflicts.py

bench-site-check: setup-dev ## print how long site checks of a whole city take, by one client and by 16
	@$(BIN)/python bench/site_check.py

bench-telemetry: setup-dev ## ten thousand stations for ten minutes, with receiver and database killed in between
	@$(BIN)/python bench/telemetry.py

bench-observations: setup-dev ## print how quick series and last values are with a hundred million values on disk
	@$(BIN)/python bench/observations.py

bench-hydrology: setup-dev ## print how well the daily model does on real basins that lie beside the project
	@$(BIN)/python bench/hydrology.py

bench-watershed: setup-dev ## print how long a click for a watershed takes on 25 million cells, beside pyflwdir
	@$(BIN)/python bench/watershed.py

lint: setup-dev ## style, types and the direction of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy typings/shikong && $(BIN)/lint-imports

format: setup-dev ## bring the code into its format
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean: down ## remove the virtual environment and the pages' scripts; data stays
	rm -rf .venv web/node_modules web/static/vendor
