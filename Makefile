# `make run` and `make test` do everything on a fresh Debian 12; `./dev` has the rest.
.PHONY: run build test setup clean
.DEFAULT_GOAL := build

setup:
	@tools/setup build

build: setup
	@./dev build release

run: setup
	@./dev build release headrace
	@examples/cabs/run

test:
	@tools/setup test
	@./dev test

clean:
	rm -rf build web/dist web/node_modules
