import { buildahTable, unknownWord } from "./buildah/table.ts";
import type { CommandEntry, CommandGroup } from "./command.ts";
import { artifact, image, key, manifest, umoci } from "./image-commands.ts";

// Commands are loaded when they are called: what is not used costs nothing.

const container: readonly CommandEntry[] = [
  {
    name: "attach",
    summary: "Attach local standard input, output, and error streams to a running container",
    load: () => import("./commands/attach.ts"),
  },
  {
    name: "commit",
    summary: "Create a new image from a container's changes",
    load: () => import("./commands/commit.ts"),
  },
  {
    name: "cp",
    summary: "Copy files/folders between a container and the local filesystem",
    load: () => import("./commands/cp.ts"),
  },
  { name: "create", summary: "Create a new container", load: () => import("./commands/create.ts") },
  {
    name: "diff",
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: () => import("./commands/diff.ts"),
  },
  {
    name: "exec",
    summary: "Execute a command in a running container",
    load: () => import("./commands/exec.ts"),
  },
  {
    name: "export",
    summary: "Export a container's filesystem as a tar archive",
    load: () => import("./commands/export.ts"),
  },
  {
    name: "inspect",
    summary: "Display detailed information on one or more containers",
    load: () => import("./commands/container-inspect.ts"),
  },
  { name: "kill", summary: "Kill one or more running containers", load: () => import("./commands/kill.ts") },
  { name: "logs", summary: "Fetch the logs of a container", load: () => import("./commands/logs.ts") },
  { name: "ls", aliases: ["list", "ps"], summary: "List containers", load: () => import("./commands/ps.ts") },
  {
    name: "mount",
    summary: "Add mounts to a container that exists, at once if it runs",
    load: () => import("./commands/container-mount.ts"),
  },
  {
    name: "pause",
    summary: "Pause all processes within one or more containers",
    load: () => import("./commands/pause.ts"),
  },
  {
    name: "port",
    summary: "List port mappings or a specific mapping for the container",
    load: () => import("./commands/port.ts"),
  },
  {
    name: "prune",
    summary: "Remove all stopped containers",
    load: () => import("./commands/container-prune.ts"),
  },
  {
    name: "publish",
    summary: "Publish ports of a container that exists, at once if it runs",
    load: () => import("./commands/container-publish.ts"),
  },
  { name: "rename", summary: "Rename a container", load: () => import("./commands/rename.ts") },
  { name: "restart", summary: "Restart one or more containers", load: () => import("./commands/restart.ts") },
  {
    name: "rm",
    aliases: ["remove"],
    summary: "Remove one or more containers",
    load: () => import("./commands/rm.ts"),
  },
  {
    name: "run",
    summary: "Create and run a new container from an image",
    load: () => import("./commands/run.ts"),
  },
  {
    name: "start",
    summary: "Start one or more stopped containers",
    load: () => import("./commands/start.ts"),
  },
  {
    name: "stats",
    summary: "Display a live stream of container(s) resource usage statistics",
    load: () => import("./commands/stats.ts"),
  },
  { name: "stop", summary: "Stop one or more running containers", load: () => import("./commands/stop.ts") },
  {
    name: "top",
    summary: "Display the running processes of a container",
    load: () => import("./commands/top.ts"),
  },
  {
    name: "unmount",
    summary: "Take mounts of a container away, at once if it runs",
    load: () => import("./commands/container-unmount.ts"),
  },
  {
    name: "unpause",
    summary: "Unpause all processes within one or more containers",
    load: () => import("./commands/unpause.ts"),
  },
  {
    name: "unpublish",
    summary: "Take published ports of a container back, at once if it runs",
    load: () => import("./commands/container-unpublish.ts"),
  },
  {
    name: "update",
    summary: "Update configuration of one or more containers",
    load: () => import("./commands/update.ts"),
  },
  {
    name: "wait",
    summary: "Block until one or more containers stop, then print their exit codes",
    load: () => import("./commands/wait.ts"),
  },
];

const builderCache: readonly CommandEntry[] = [
  {
    name: "export",
    summary: "Export a cache mount's content as a tar archive",
    load: () => import("./commands/builder-cache-export.ts"),
  },
  {
    name: "import",
    summary: "Put a tar archive in the place of what a cache mount holds",
    load: () => import("./commands/builder-cache-import.ts"),
  },
  { name: "ls", summary: "List cache mounts", load: () => import("./commands/builder-cache-ls.ts") },
];

const builder: readonly (CommandEntry | CommandGroup)[] = [
  { name: "build", summary: "Build an image from a Containerfile", load: () => import("./commands/build.ts") },
  { name: "cache", summary: "Keep cache mounts over machines", children: builderCache },
  { name: "du", summary: "Disk usage of the build cache", load: () => import("./commands/builder-du.ts") },
  { name: "prune", summary: "Remove build cache", load: () => import("./commands/builder-prune.ts") },
];

const checkpoint: readonly CommandEntry[] = [
  {
    name: "create",
    summary: "Create a checkpoint from a running container",
    load: () => import("./commands/checkpoint-create.ts"),
  },
  {
    name: "ls",
    aliases: ["list"],
    summary: "List checkpoints for a container",
    load: () => import("./commands/checkpoint-ls.ts"),
  },
  {
    name: "rm",
    aliases: ["remove"],
    summary: "Remove a checkpoint",
    load: () => import("./commands/checkpoint-rm.ts"),
  },
];

const network: readonly CommandEntry[] = [
  {
    name: "connect",
    summary: "Connect a container to a network",
    load: () => import("./commands/network-connect.ts"),
  },
  { name: "create", summary: "Create a network", load: () => import("./commands/network-create.ts") },
  {
    name: "disconnect",
    summary: "Disconnect a container from a network",
    load: () => import("./commands/network-disconnect.ts"),
  },
  {
    name: "inspect",
    summary: "Display detailed information on one or more networks",
    load: () => import("./commands/network-inspect.ts"),
  },
  { name: "ls", aliases: ["list"], summary: "List networks", load: () => import("./commands/network-ls.ts") },
  { name: "prune", summary: "Remove all unused networks", load: () => import("./commands/network-prune.ts") },
  {
    name: "rm",
    aliases: ["remove"],
    summary: "Remove one or more networks",
    load: () => import("./commands/network-rm.ts"),
  },
];

const registry: readonly CommandEntry[] = [
  {
    name: "check",
    summary: "Read everything in a registry that is not being served, and tell what is wrong",
    load: () => import("./commands/registry-check.ts"),
  },
  {
    name: "gc",
    aliases: ["garbage-collect"],
    summary: "Remove what nothing needs from a registry that is not being served",
    load: () => import("./commands/registry-gc.ts"),
  },
  {
    name: "retain",
    summary: "Remove tags that no rule of retention holds from a registry that is not being served",
    load: () => import("./commands/registry-retain.ts"),
  },
  {
    name: "serve",
    summary: "Serve images and other artifacts to every client, until it is told to stop",
    load: () => import("./commands/registry-serve.ts"),
  },
];

const systemSocket: readonly CommandEntry[] = [
  {
    name: "create",
    summary: "Create another socket of the engine, limited to a role",
    load: () => import("./commands/system-socket-create.ts"),
  },
  {
    name: "ls",
    aliases: ["list"],
    summary: "List the further sockets",
    load: () => import("./commands/system-socket-ls.ts"),
  },
  {
    name: "rm",
    aliases: ["remove"],
    summary: "Remove one or more further sockets",
    load: () => import("./commands/system-socket-rm.ts"),
  },
];

const store: readonly CommandEntry[] = [
  {
    name: "check",
    summary: "Read all of the cluster's state, and tell what is wrong",
    load: () => import("./commands/store-check.ts"),
  },
  {
    name: "migrate",
    summary: "Move the state of a cluster that is down into another store",
    load: () => import("./commands/store-migrate.ts"),
  },
  {
    name: "restore",
    summary: "Make the state of a cluster that is down what a snapshot holds",
    load: () => import("./commands/store-restore.ts"),
  },
  {
    name: "rotate-keys",
    summary: "Make a new key for secrets at rest, and seal all of them by it",
    load: () => import("./commands/store-rotate-keys.ts"),
  },
  {
    name: "snapshot",
    summary: "Write a copy of the cluster's state at one moment",
    load: () => import("./commands/store-snapshot.ts"),
  },
];

const system: readonly (CommandEntry | CommandGroup)[] = [
  {
    name: "alias",
    summary: "Answer to Docker's name: its socket and its command, where there is no Docker",
    load: () => import("./commands/system-alias.ts"),
  },
  {
    name: "check",
    summary: "Read everything in the engine's store and its registry, and tell what is wrong",
    load: () => import("./commands/system-check.ts"),
  },
  { name: "df", summary: "Show disk usage", load: () => import("./commands/system-df.ts") },
  {
    name: "events",
    summary: "Get real time events from the server",
    load: () => import("./commands/events.ts"),
  },
  { name: "info", summary: "Display system-wide information", load: () => import("./commands/info.ts") },
  { name: "prune", summary: "Remove unused data", load: () => import("./commands/system-prune.ts") },
  {
    name: "reset",
    summary: "Remove the instance with all that it has, and end its engine",
    load: () => import("./commands/system-reset.ts"),
  },
  { name: "socket", summary: "Manage further sockets, limited to roles", children: systemSocket },
];

const volume: readonly CommandEntry[] = [
  {
    name: "clone",
    summary: "Make another volume with the same content",
    load: () => import("./commands/volume-clone.ts"),
  },
  { name: "create", summary: "Create a volume", load: () => import("./commands/volume-create.ts") },
  {
    name: "export",
    summary: "Export a volume's content as a tar archive",
    load: () => import("./commands/volume-export.ts"),
  },
  {
    name: "import",
    summary: "Make a volume with the content of a tar archive",
    load: () => import("./commands/volume-import.ts"),
  },
  {
    name: "inspect",
    summary: "Display detailed information on one or more volumes",
    load: () => import("./commands/volume-inspect.ts"),
  },
  {
    name: "limit",
    summary: "Give a volume a size limit, or a larger one",
    load: () => import("./commands/volume-limit.ts"),
  },
  { name: "ls", aliases: ["list"], summary: "List volumes", load: () => import("./commands/volume-ls.ts") },
  { name: "prune", summary: "Remove unused local volumes", load: () => import("./commands/volume-prune.ts") },
  {
    name: "rename",
    summary: "Rename a volume that no container has",
    load: () => import("./commands/volume-rename.ts"),
  },
  {
    name: "restore",
    summary: "Make a volume's content what it was at the time of a snapshot",
    load: () => import("./commands/volume-restore.ts"),
  },
  {
    name: "rm",
    aliases: ["remove"],
    summary: "Remove one or more volumes. You cannot remove a volume that is in use by a container.",
    load: () => import("./commands/volume-rm.ts"),
  },
  {
    name: "snapshot",
    summary: "Keep a copy of a volume's content",
    load: () => import("./commands/volume-snapshot.ts"),
  },
  {
    name: "snapshot-rm",
    summary: "Remove snapshots of a volume",
    load: () => import("./commands/volume-snapshot-rm.ts"),
  },
  {
    name: "snapshots",
    summary: "List the snapshots of a volume",
    load: () => import("./commands/volume-snapshots.ts"),
  },
];

/** Every command, by the words that call it. */
export const commandTable: readonly (CommandEntry | CommandGroup)[] = [
  {
    name: "attach",
    summary: "Attach local standard input, output, and error streams to a running container",
    load: () => import("./commands/attach.ts"),
  },
  { name: "build", summary: "Build an image from a Containerfile", load: () => import("./commands/build.ts") },
  {
    name: "commit",
    summary: "Create a new image from a container's changes",
    load: () => import("./commands/commit.ts"),
  },
  {
    name: "completion",
    summary: "Print a script that completes commands, flags and names in a shell",
    load: () => import("./commands/completion.ts"),
  },
  {
    name: "cp",
    summary: "Copy files/folders between a container and the local filesystem",
    load: () => import("./commands/cp.ts"),
  },
  { name: "create", summary: "Create a new container", load: () => import("./commands/create.ts") },
  {
    name: "daemon",
    summary: "Run the engine in the foreground, or stop it or ask for its status (containers keep running either way)",
    load: () => import("./commands/daemon.ts"),
  },
  {
    name: "down",
    summary: "Stop the Kubernetes API of this instance; what it holds stays",
    load: () => import("./commands/down.ts"),
  },
  {
    name: "diff",
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: () => import("./commands/diff.ts"),
  },
  {
    name: "events",
    summary: "Get real time events from the server",
    load: () => import("./commands/events.ts"),
  },
  {
    name: "exec",
    summary: "Execute a command in a running container",
    load: () => import("./commands/exec.ts"),
  },
  {
    name: "export",
    summary: "Export a container's filesystem as a tar archive",
    load: () => import("./commands/export.ts"),
  },
  {
    name: "helm",
    summary: "Render, install and pack charts, in Helm's words",
    load: () => import("./commands/helm.ts"),
  },
  { name: "history", summary: "Show the history of an image", load: () => import("./commands/history.ts") },
  { name: "images", summary: "List images", load: () => import("./commands/images.ts") },
  {
    name: "import",
    summary: "Import the contents from a tarball to create a filesystem image",
    load: () => import("./commands/import.ts"),
  },
  { name: "info", summary: "Display system-wide information", load: () => import("./commands/info.ts") },
  {
    name: "inspect",
    summary: "Return low-level information on container engine objects",
    load: () => import("./commands/inspect.ts"),
  },
  { name: "kill", summary: "Kill one or more running containers", load: () => import("./commands/kill.ts") },
  {
    name: "kubectl",
    summary: "Work with a Kubernetes cluster, in kubectl's words",
    load: () => import("./commands/kubectl.ts"),
  },
  {
    name: "kustomize",
    summary: "Build and edit kustomizations, in kustomize's words",
    load: () => import("./commands/kustomize.ts"),
  },
  { name: "load", summary: "Load an image from a tar archive or STDIN", load: () => import("./commands/load.ts") },
  { name: "login", summary: "Authenticate to a registry", load: () => import("./commands/login.ts") },
  { name: "logout", summary: "Log out from a registry", load: () => import("./commands/logout.ts") },
  { name: "logs", summary: "Fetch the logs of a container", load: () => import("./commands/logs.ts") },
  {
    name: "pause",
    summary: "Pause all processes within one or more containers",
    load: () => import("./commands/pause.ts"),
  },
  {
    name: "port",
    summary: "List port mappings or a specific mapping for the container",
    load: () => import("./commands/port.ts"),
  },
  { name: "ps", summary: "List containers", load: () => import("./commands/ps.ts") },
  { name: "pull", summary: "Download an image from a registry", load: () => import("./commands/pull.ts") },
  { name: "push", summary: "Upload an image to a registry", load: () => import("./commands/push.ts") },
  { name: "rename", summary: "Rename a container", load: () => import("./commands/rename.ts") },
  { name: "restart", summary: "Restart one or more containers", load: () => import("./commands/restart.ts") },
  { name: "rm", summary: "Remove one or more containers", load: () => import("./commands/rm.ts") },
  { name: "rmi", summary: "Remove one or more images", load: () => import("./commands/rmi.ts") },
  {
    name: "run",
    summary: "Create and run a new container from an image",
    load: () => import("./commands/run.ts"),
  },
  {
    name: "save",
    summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    load: () => import("./commands/save.ts"),
  },
  { name: "search", summary: "Search a registry for images", load: () => import("./commands/search.ts") },
  {
    name: "sign",
    summary: "Sign images in a registry with a private key, in cosign's format",
    load: () => import("./commands/sign.ts"),
  },
  {
    name: "skopeo",
    summary: "Inspect, copy, sync and delete images anywhere, in skopeo's words",
    load: () => import("./commands/skopeo.ts"),
  },
  {
    name: "simulate",
    summary: "Run a cluster that exists only in its API, on a clock that is wound",
    load: () => import("./commands/simulate.ts"),
  },
  {
    name: "start",
    summary: "Start one or more stopped containers",
    load: () => import("./commands/start.ts"),
  },
  {
    name: "stats",
    summary: "Display a live stream of container(s) resource usage statistics",
    load: () => import("./commands/stats.ts"),
  },
  { name: "stop", summary: "Stop one or more running containers", load: () => import("./commands/stop.ts") },
  {
    name: "tag",
    summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    load: () => import("./commands/tag.ts"),
  },
  {
    name: "top",
    summary: "Display the running processes of a container",
    load: () => import("./commands/top.ts"),
  },
  {
    name: "unpause",
    summary: "Unpause all processes within one or more containers",
    load: () => import("./commands/unpause.ts"),
  },
  { name: "up", summary: "Start the Kubernetes cluster of this instance", load: () => import("./commands/up.ts") },
  {
    name: "update",
    summary: "Update configuration of one or more containers",
    load: () => import("./commands/update.ts"),
  },
  {
    name: "verify",
    summary: "Verify the signatures of images in a registry with public keys",
    load: () => import("./commands/verify.ts"),
  },
  { name: "version", summary: "Show the version information", load: () => import("./commands/version.ts") },
  {
    name: "wait",
    summary: "Block until one or more containers stop, then print their exit codes",
    load: () => import("./commands/wait.ts"),
  },
  {
    name: "why",
    summary: "Tell why objects of the cluster are not as they should be, and what helps",
    load: () => import("./commands/why.ts"),
  },
  { name: "artifact", summary: "Manage files of any type in registries", children: artifact },
  {
    name: "buildah",
    summary: "Make images step by step, in buildah's words",
    children: buildahTable,
    unknown: unknownWord,
  },
  { name: "builder", summary: "Manage builds and their cache", children: builder },
  { name: "container", summary: "Manage containers", children: container },
  { name: "image", summary: "Manage images", children: image },
  { name: "checkpoint", summary: "Manage checkpoints", children: checkpoint },
  { name: "key", summary: "Manage keys for signing images", children: key },
  { name: "manifest", summary: "Manage image manifests and manifest lists", children: manifest },
  { name: "network", summary: "Manage networks", children: network },
  { name: "registry", summary: "Serve a registry of images", children: registry },
  { name: "store", summary: "Save, move and check the state of the Kubernetes API", children: store },
  { name: "system", summary: "Manage the engine as a whole", children: system },
  { name: "umoci", summary: "Unpack images of OCI layouts into bundles, and back", children: umoci },
  { name: "volume", summary: "Manage volumes", children: volume },
  {
    name: "__complete",
    summary: "Complete a command line",
    hidden: true,
    load: () => import("./commands/complete.ts"),
  },
];
