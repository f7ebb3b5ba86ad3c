# Everything a person or CI calls. `make help` lists it.

# NODES, PERIOD, DURATION and the like, OWG_LOCAL_STATE and OWG_LOCAL_BINARY reach the program through the environment.
export NODES PERIOD DURATION ROTATIONS ROUNDS RUNS

LOCAL_PROJECT := deploy/local/Orleans.WireGuard.LocalMesh.csproj
LOCAL_MESH := artifacts/bin/Orleans.WireGuard.LocalMesh/release/owg-local.dll

.DEFAULT_GOAL := help
.PHONY: help demo demo-kubernetes demo-check demo-down bench-mesh bench-rotation bench-witness local-mesh

help: ## List what make can do.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: local-mesh ## Show a mesh on this machine, live; as root. NODES=5 PERIOD=10s make demo
	@exec dotnet $(LOCAL_MESH) demo

demo-kubernetes: local-mesh ## The demo with an API server: nodes come and go as node objects do. KUBECONFIG=… for a cluster instead of the test server
	@dotnet build Tests/Support/KubernetesApi/Orleans.WireGuard.TestApiServer.csproj --configuration Release --nologo --verbosity quiet -consoleLoggerParameters:NoSummary
	@exec dotnet $(LOCAL_MESH) demo-kubernetes

demo-check: local-mesh ## Prove what the demo shows, unattended, about two minutes; fails if any proof does. DURATION=60s PERIOD=5s
	@exec dotnet $(LOCAL_MESH) check

bench-mesh: local-mesh ## Measure a mesh: propagation of keys, memory, idle CPU, start, detection of a dead silo. NODES DURATION PERIOD
	@exec dotnet $(LOCAL_MESH) bench

bench-rotation: local-mesh ## Packets lost, latency and TCP with and without rotations, about 20 minutes; fails if one is lost. ROTATIONS PERIOD DURATION ROUNDS RUNS=ABC
	@exec dotnet $(LOCAL_MESH) bench-rotation

bench-witness: local-mesh ## What the witness at the wire costs, and that it stays at zero on a million packets in the tunnel, some four minutes. ROUNDS
	@exec dotnet $(LOCAL_MESH) bench-witness

demo-down: local-mesh ## End a running demo, or remove what a crashed one left.
	@exec dotnet $(LOCAL_MESH) down

local-mesh:
	@command -v dotnet >/dev/null || { echo "Missing: the .NET 10 SDK (dotnet)." >&2; exit 2; }
	@dotnet build $(LOCAL_PROJECT) --configuration Release --nologo --verbosity quiet -consoleLoggerParameters:NoSummary

.PHONY: build test test-fast test-kernel test-long test-rotation test-upgrade test-cni bench-device bench-pass format format-check version release-check

build: ## Restore as locked and build everything; a warning is an error.
	dotnet restore --locked-mode
	dotnet build --no-restore --configuration Release --nologo

test-fast: build ## Unit, property and in-process cluster tests, and those with servers on the loopback; needs no root.
	@Tests/run fast

test: build ## Every test that is not long; the end-to-end ones need root, skip without it, and install the Debian packages they need.
	@Tests/install
	@Tests/run

test-kernel: build ## The device, link and mesh cases on Debian's kernel in QEMU, with the serial console.
	@Tests/install
	@Tests/EndToEnd/Kernel/run

test-long: build ## What takes long and rarely fails: faults that last several periods, larger models, the image's build; as root, some 15 minutes.
	@Tests/install
	@artifacts/bin/Orleans.WireGuard.Tests/release/Orleans.WireGuard.Tests --no-ansi --progress off --output Detailed --show-stdout none \
		--filter-trait Length=Long

test-rotation: build ## Rotations and the verbs on packets, with the fault table: packets lost for each fault, with the faulty node and without it.
	@Tests/install
	@mkdir -p artifacts/test-results
	@{ artifacts/bin/Orleans.WireGuard.Tests/release/Orleans.WireGuard.Tests --no-ansi --progress off --output Detailed --show-stdout all \
		$(foreach class,Rotation RotationFault LiveVerb,--filter-class "*.EndToEnd.$(class)Tests"); \
		echo $$? >artifacts/test-results/rotation; } \
		| sed -u -n -E 's/^(passed|failed|skipped) Orleans\.WireGuard\.Tests\.EndToEnd\.(.*)/\1  \2/p; / lost with |^ +[0-9]+ lost of |^    owg |^    rotations /p; /^ +(total|failed|succeeded|skipped):/p'; \
		exit $$(cat artifacts/test-results/rotation)

test-upgrade: build ## Other releases of the silo, built from this tree, in one mesh with it: up, back and stopped, under traffic; some ten minutes.
	@Tests/install
	@mkdir -p artifacts/test-results
	@{ artifacts/bin/Orleans.WireGuard.Tests/release/Orleans.WireGuard.Tests --no-ansi --progress off --output Detailed --show-stdout all \
		--filter-trait Kind=Upgrade; echo $$? >artifacts/test-results/upgrade; } \
		| sed -u -n -E '/^(passed|failed|skipped) /p; /^  [^ ]/p; /^    (step|start|node|all|one|roll|undo|stopped|ready|exit|    node)/p'; \
		exit $$(cat artifacts/test-results/upgrade)

# A line for each cluster, below one head.
test-cni: build ## The table of environments: nine kinds of cluster, each with the settings of its overlay and with each fix switched off; some 20 minutes. CNI=eks,calico
	@Tests/install
	@mkdir -p artifacts/test-results
	@{ artifacts/bin/Orleans.WireGuard.Tests/release/Orleans.WireGuard.Tests --no-ansi --progress off --output Detailed --show-stdout all \
		--filter-trait Kind=Cni; echo $$? >artifacts/test-results/cni; } | tee artifacts/test-results/cni.txt \
		| sed -u -n -E '/^(failed|skipped) /p; s/^ *(cni .*)/\1/p; /^ +(total|failed|succeeded|skipped):/p' \
		| awk '!($$1 == "cni" && $$2 == "kind" && headed++) { print; fflush() }'; \
		exit $$(cat artifacts/test-results/cni)

bench-device: build ## The netlink transport beside wg setconf, set and syncconf, in one run on Debian's kernel in QEMU.
	@Tests/install
	@KERNEL_TEST_SECONDS=560 Tests/EndToEnd/Kernel/run bench

bench-pass: build ## What a pass costs when one of 250 to 5,000 nodes has announced another key, without the kernel's part; a few seconds.
	@artifacts/bin/Orleans.WireGuard.Tests/release/Orleans.WireGuard.Tests --no-ansi --progress off --output Detailed --show-stdout all \
		--filter-trait Kind=Bench

version: ## Print the version of this tree, by its tags, as the build of the image takes it.
	@dotnet msbuild Silo/Orleans.WireGuard.Silo.csproj -target:MinVer -getProperty:MinVerVersion -restore -verbosity:quiet

release-check: build ## What a release has to say: changed contracts have a Wire entry, settings say since when. In `make test` too.
	@artifacts/bin/Orleans.WireGuard.Tests/release/Orleans.WireGuard.Tests --no-ansi --progress off --output Detailed --filter-class "*.ReleaseTests"

format: ## Format the code.
	dotnet format

format-check: ## Fail if something is not formatted.
	dotnet format --verify-no-changes

.PHONY: image test-image kustomize

# Before minutes are spent. Debian 12's own kubectl, 1.20, cannot render the overlays.
kustomize:
	@kubectl kustomize deploy/overlays/userspace >/dev/null || { echo "Missing: kubectl 1.21 or newer, which renders the overlays." >&2; exit 2; }

image: ## Build the images without a registry, as OCI archives in artifacts/image, and print their layers; as root, two to five minutes.
	@deploy/image/build

test-image: kustomize build image ## The image as a kubelet runs it, under containerd and runc, from the rendered DaemonSets: rights, start, traffic, upgrade and undo; a minute after the image.
	@Tests/install
	@deploy/image/install containerd:containerd ctr:containerd runc:runc
	@mkdir -p artifacts/test-results
	@{ artifacts/bin/Orleans.WireGuard.Tests/release/Orleans.WireGuard.Tests --no-ansi --progress off --output Detailed --show-stdout all --filter-trait Kind=Image; \
		echo $$? >artifacts/test-results/image; } \
		| sed -u -E 's/Orleans\.WireGuard\.Tests\.EndToEnd\.Image\.//; /^ *Standard output$$/d; /^ *$$/d'; \
		exit $$(cat artifacts/test-results/image)

.PHONY: test-kubernetes conformance

# What these lines leave of the runner's own output is the table: result, test, time.
conformance: build ## The membership cases with their results (Tests/EndToEnd/Kubernetes/README.md); KUBECONFIG=… for a real API server.
	@mkdir -p artifacts/test-results
	@{ KUBECONFIG="$(KUBECONFIG)" artifacts/bin/Orleans.WireGuard.Tests/release/Orleans.WireGuard.Tests --no-ansi --progress off --output Detailed --show-stdout all \
		$(foreach class,MembershipTableConformance CommunityProviderDefects MembershipTableOwnCases,--filter-class "*.$(class)Tests"); \
		echo $$? >artifacts/test-results/conformance; } \
		| sed -u -n -E 's/^(passed|failed|skipped) Orleans\.WireGuard\.Tests\.EndToEnd\.([^.]*)Tests\.(.*)/\1  \2  \3/p; /silos joined|none torn|1,000 rows/p; /^ +(total|failed|succeeded|skipped):/p'; \
		exit $$(cat artifacts/test-results/conformance)

test-kubernetes: build ## The Kubernetes tests against the cluster of KUBECONFIG; without it against the test API server.
	@KUBECONFIG="$(KUBECONFIG)" artifacts/bin/Orleans.WireGuard.Tests/release/Orleans.WireGuard.Tests --no-ansi --progress off \
		$(foreach class,Annotation ApiServerBehaviour CommunityProviderDefects DocumentedCommands MembershipTableConformance MembershipTableFault MembershipTableNeeds \
			MembershipTableOwnCases MembershipWatch NodeWatcher OwnNodePolicy SilosOnKubernetes,--filter-class "*.$(class)Tests")
