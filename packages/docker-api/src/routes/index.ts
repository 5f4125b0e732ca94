import type { Route } from "../http/route.ts";
import { boxshipBuild } from "./boxship/boxship-build.ts";
import { boxshipPing } from "./boxship/boxship-ping.ts";
import { boxshipShutdown } from "./boxship/boxship-shutdown.ts";
import { buildStream } from "./boxship/build-stream.ts";
import { cacheMountExport, cacheMountImport, cacheMountList } from "./boxship/cache-mounts.ts";
import { containerMountAdd, containerMountRemove } from "./boxship/container-mounts.ts";
import { containerPortAdd, containerPortRemove } from "./boxship/container-ports.ts";
import { distributionManifest } from "./boxship/distribution-manifest.ts";
import { imageBootstrap } from "./boxship/image-bootstrap.ts";
import { socketRoutes } from "./boxship/sockets.ts";
import { systemCheck } from "./boxship/system-check.ts";
import { volumeClone } from "./boxship/volume-clone.ts";
import { volumeExport } from "./boxship/volume-export.ts";
import { volumeImport } from "./boxship/volume-import.ts";
import { volumeLimit } from "./boxship/volume-limit.ts";
import { volumeRename } from "./boxship/volume-rename.ts";
import {
  volumeSnapshotCreate,
  volumeSnapshotDelete,
  volumeSnapshotList,
  volumeSnapshotRestore,
} from "./boxship/volume-snapshots.ts";
import { workingRoutes } from "./boxship/working-containers.ts";
import { buildCancel } from "./build/build-cancel.ts";
import { buildPrune } from "./build/build-prune.ts";
import { builderGrpc, builderSession } from "./build/builder-connections.ts";
import { imageBuild } from "./build/image-build.ts";
import { containerArchiveGet } from "./container/container-archive-get.ts";
import { containerArchivePut } from "./container/container-archive-put.ts";
import { containerArchiveStat } from "./container/container-archive-stat.ts";
import { containerAttach } from "./container/container-attach.ts";
import { containerAttachWs } from "./container/container-attach-ws.ts";
import { containerChanges } from "./container/container-changes.ts";
import { containerCheckpoints } from "./container/container-checkpoints.ts";
import { containerCommit } from "./container/container-commit.ts";
import { containerCreate } from "./container/container-create.ts";
import { containerDelete } from "./container/container-delete.ts";
import { containerExport } from "./container/container-export.ts";
import { containerInspect } from "./container/container-inspect.ts";
import { containerKill } from "./container/container-kill.ts";
import { containerList } from "./container/container-list.ts";
import { containerLogs } from "./container/container-logs.ts";
import { containerPause } from "./container/container-pause.ts";
import { containerPrune } from "./container/container-prune.ts";
import { containerRename } from "./container/container-rename.ts";
import { containerResize } from "./container/container-resize.ts";
import { containerRestart } from "./container/container-restart.ts";
import { containerStart } from "./container/container-start.ts";
import { containerStats } from "./container/container-stats.ts";
import { containerStop } from "./container/container-stop.ts";
import { containerTop } from "./container/container-top.ts";
import { containerUnpause } from "./container/container-unpause.ts";
import { containerUpdate } from "./container/container-update.ts";
import { containerWait } from "./container/container-wait.ts";
import { distributionInspect } from "./distribution/distribution-inspect.ts";
import { execCreate } from "./exec/exec-create.ts";
import { execInspect } from "./exec/exec-inspect.ts";
import { execResize } from "./exec/exec-resize.ts";
import { execStart } from "./exec/exec-start.ts";
import { imageCreate } from "./image/image-create.ts";
import { imageDelete } from "./image/image-delete.ts";
import { imageHistory } from "./image/image-history.ts";
import { imageInspect } from "./image/image-inspect.ts";
import { imageList } from "./image/image-list.ts";
import { imageLoad } from "./image/image-load.ts";
import { imagePrune } from "./image/image-prune.ts";
import { imagePush } from "./image/image-push.ts";
import { imageSave } from "./image/image-save.ts";
import { imageSearch } from "./image/image-search.ts";
import { imageTag } from "./image/image-tag.ts";
import { networkConnect } from "./network/network-connect.ts";
import { networkCreate } from "./network/network-create.ts";
import { networkDelete } from "./network/network-delete.ts";
import { networkDisconnect } from "./network/network-disconnect.ts";
import { networkInspect } from "./network/network-inspect.ts";
import { networkList } from "./network/network-list.ts";
import { networkPrune } from "./network/network-prune.ts";
import { REFUSED_ROUTES } from "./refused/refused-routes.ts";
import { systemAuth } from "./system/system-auth.ts";
import { systemDf } from "./system/system-df.ts";
import { systemEvents } from "./system/system-events.ts";
import { systemInfo } from "./system/system-info.ts";
import { systemPing } from "./system/system-ping.ts";
import { systemVersion } from "./system/system-version.ts";
import { volumeCreate } from "./volume/volume-create.ts";
import { volumeDelete } from "./volume/volume-delete.ts";
import { volumeInspect } from "./volume/volume-inspect.ts";
import { volumeList } from "./volume/volume-list.ts";
import { volumePrune } from "./volume/volume-prune.ts";

/** Every endpoint. The router is compiled from this table, and `docs/docker-api.md` is written from it. */
export const ROUTES: readonly Route[] = [
  systemAuth,
  systemDf,
  systemEvents,
  systemInfo,
  ...systemPing,
  builderGrpc,
  builderSession,
  systemVersion,
  containerArchiveGet,
  containerArchivePut,
  containerArchiveStat,
  containerAttachWs,
  containerAttach,
  containerChanges,
  ...containerCheckpoints,
  containerCommit,
  containerCreate,
  containerDelete,
  containerExport,
  containerInspect,
  containerKill,
  containerList,
  containerLogs,
  containerPause,
  containerPrune,
  containerRename,
  containerResize,
  containerRestart,
  containerStart,
  containerStats,
  containerStop,
  containerTop,
  containerUnpause,
  containerUpdate,
  containerWait,
  distributionInspect,
  execCreate,
  execInspect,
  execResize,
  execStart,
  imageBuild,
  buildCancel,
  buildPrune,
  imageCreate,
  imageDelete,
  imageHistory,
  imageInspect,
  imageList,
  imageLoad,
  imagePrune,
  imagePush,
  ...imageSave,
  imageSearch,
  imageTag,
  networkConnect,
  networkCreate,
  networkDelete,
  networkDisconnect,
  networkInspect,
  networkList,
  networkPrune,
  volumeCreate,
  volumeDelete,
  volumeInspect,
  volumeList,
  volumePrune,
  volumeClone,
  volumeRename,
  volumeLimit,
  cacheMountExport,
  cacheMountImport,
  cacheMountList,
  volumeExport,
  volumeImport,
  volumeSnapshotList,
  volumeSnapshotCreate,
  volumeSnapshotRestore,
  volumeSnapshotDelete,
  boxshipBuild,
  buildStream,
  boxshipPing,
  boxshipShutdown,
  systemCheck,
  containerMountAdd,
  containerMountRemove,
  containerPortAdd,
  containerPortRemove,
  distributionManifest,
  imageBootstrap,
  ...socketRoutes,
  ...workingRoutes,
  ...REFUSED_ROUTES,
];
