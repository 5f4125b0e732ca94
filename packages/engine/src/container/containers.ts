import type { EngineContext } from "../context.ts";
import type { ContainersApi } from "../engine-api.ts";
import { archiveCheckpoint } from "./checkpoint-archive.ts";
import { exportContainer, getArchive, putArchive, statPath } from "./container-archive.ts";
import { attachContainer } from "./container-attach.ts";
import { containerChanges } from "./container-changes.ts";
import { checkpointContainer, listCheckpoints, removeCheckpoint } from "./container-checkpoint.ts";
import { commitContainer } from "./container-commit.ts";
import { createContainer } from "./container-create.ts";
import { killContainer } from "./container-kill.ts";
import { containerLogAttributes, containerLogs } from "./container-logs.ts";
import { addMount, removeMount } from "./container-mounts.ts";
import { pauseContainer, unpauseContainer } from "./container-pause.ts";
import { addPort, removePort } from "./container-ports.ts";
import { pruneContainers } from "./container-prune.ts";
import { removeContainer } from "./container-remove.ts";
import { renameContainer } from "./container-rename.ts";
import { resizeContainer } from "./container-resize.ts";
import { restartContainer } from "./container-restart.ts";
import { startContainer } from "./container-start.ts";
import { containerStats } from "./container-stats.ts";
import { stopContainer } from "./container-stop.ts";
import { topContainer } from "./container-top.ts";
import { updateContainer } from "./container-update.ts";
import { containerView, listContainers } from "./container-view.ts";

/** The container verbs, bound to one engine. Each is in the file of its name. */
export function containersApi(context: EngineContext): ContainersApi {
  const { containers, images, waiters } = context;
  return {
    create: (request) => createContainer(context, request),
    start: (ref, from) => startContainer(context, ref, from),
    checkpoint: (ref, checkpoint) => checkpointContainer(context, ref, checkpoint),
    archiveCheckpoint: (ref, archive) => archiveCheckpoint(context, ref, archive),
    checkpoints: (ref, directory) => listCheckpoints(context, ref, directory),
    removeCheckpoint: (ref, checkpoint) => removeCheckpoint(context, ref, checkpoint),
    stop: (ref, options) => stopContainer(context, ref, options),
    restart: (ref, options) => restartContainer(context, ref, options),
    kill: (ref, signal) => killContainer(context, ref, signal),
    pause: (ref) => pauseContainer(context, ref),
    unpause: (ref) => unpauseContainer(context, ref),
    rename: (ref, name) => renameContainer(context, ref, name),
    update: (ref, change) => updateContainer(context, ref, change),
    remove: (ref, options) => removeContainer(context, ref, options),
    addPort: (ref, port, binding) => addPort(context, ref, port, binding),
    removePort: (ref, choice) => removePort(context, ref, choice),
    addMount: (ref, mount, options) => addMount(context, ref, mount, options),
    removeMount: (ref, destination, options) => removeMount(context, ref, destination, options),
    prune: (filter) => pruneContainers(context, filter),
    list: (options) => listContainers(context, options),
    get: async (ref, options) => containerView(context, containers.resolve(ref), options),
    logs: (ref, options) => containerLogs(context, ref, options),
    logAttributes: (ref) => containerLogAttributes(context, ref),
    attach: (ref, options) => attachContainer(context, ref, options),
    wait: async (ref, condition, signal) => waiters.wait(containers.resolve(ref), condition, signal),
    resize: async (ref, size) => resizeContainer(context, ref, size),
    top: (ref, args) => topContainer(context, ref, args),
    changes: (ref) => containerChanges(context, ref),
    statPath: (ref, path) => statPath(context, ref, path),
    getArchive: (ref, path) => getArchive(context, ref, path),
    putArchive: (ref, path, archive, options) => putArchive(context, ref, path, archive, options),
    export: (ref) => exportContainer(context, ref),
    commit: (ref, options) => images.writing(() => commitContainer(context, ref, options)),
    stats: (ref) => containerStats(context, ref),
  };
}
