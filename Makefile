# Everything a person or CI calls. `make help` lists it.

# NODES, PERIOD, DURATION, OWG_LOCAL_STATE and OWG_LOCAL_BINARY reach the program through the environment.
export NODES PERIOD DURATION

LOCAL_PROJECT := deploy/local/Orleans.WireGuard.LocalMesh.csproj
LOCAL_MESH := artifacts/bin/Orleans.WireGuard.LocalMesh/release/owg-local.dll

.DEFAULT_GOAL := help
.PHONY: help demo demo-check demo-down bench-mesh local-mesh

help: ## List what make can do.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: local-mesh ## Show a mesh on this machine, live; as root. NODES=5 PERIOD=10s make demo
	@exec dotnet $(LOCAL_MESH) demo

demo-check: local-mesh ## Prove what the demo shows, unattended, about two minutes; fails if any proof does. DURATION=60s PERIOD=5s
	@exec dotnet $(LOCAL_MESH) check

bench-mesh: local-mesh ## Measure a mesh: propagation of keys, memory, idle CPU, start, detection of a dead silo. NODES DURATION PERIOD
	@exec dotnet $(LOCAL_MESH) bench

demo-down: local-mesh ## End a running demo, or remove what a crashed one left.
	@exec dotnet $(LOCAL_MESH) down

local-mesh:
	@command -v dotnet >/dev/null || { echo "Missing: the .NET 10 SDK (dotnet)." >&2; exit 2; }
	@dotnet build $(LOCAL_PROJECT) --configuration Release --nologo --verbosity quiet -consoleLoggerParameters:NoSummary

.PHONY: build test test-fast test-kernel bench-device format format-check

build: ## Restore as locked and build everything; a warning is an error.
	dotnet restore --locked-mode
	dotnet build --no-restore --configuration Release --nologo

test-fast: build ## Unit, property and in-process cluster tests; needs no root.
	@Tests/run fast

test: build ## Every test; the end-to-end ones need root, skip without it, and install the Debian packages they need.
	@Tests/install
	@Tests/run

test-kernel: build ## The device, link and mesh cases on Debian's kernel in QEMU, with the serial console.
	@Tests/install
	@Tests/EndToEnd/Kernel/run

bench-device: build ## The netlink transport beside wg setconf, set and syncconf, in one run on Debian's kernel in QEMU.
	@Tests/install
	@KERNEL_TEST_SECONDS=560 Tests/EndToEnd/Kernel/run bench

format: ## Format the code.
	dotnet format

format-check: ## Fail if something is not formatted.
	dotnet format --verify-no-changes

.PHONY: test-kubernetes

test-kubernetes: build ## The Kubernetes tests against the cluster of KUBECONFIG; without it against the test API server.
	@KUBECONFIG="$(KUBECONFIG)" artifacts/bin/Orleans.WireGuard.Tests/release/Orleans.WireGuard.Tests --no-ansi --progress off \
		$(foreach class,ApiServerBehaviour CommunityProviderDefects MembershipTableConformance MembershipTableFault MembershipTableOwnCases \
			MembershipWatch NodeWatcher SilosOnKubernetes,--filter-class "*.$(class)Tests")
