import { Empty, field, message, method, RpcStatus, Timestamp } from "@boxship/grpc";
import {
  BuildkitVersion,
  BytesMessage,
  CacheOptionsEntry,
  Definition,
  Range,
  SourceInfo,
  WorkerRecord,
} from "./common.ts";

// `moby.buildkit.v1.Control`: what `docker buildx` speaks to a builder.

export const UsageRecord = message("UsageRecord", {
  id: field.string(1),
  mutable: field.bool(2),
  inUse: field.bool(3),
  size: field.int64(4),
  parent: field.string(5),
  createdAt: field.message(6, Timestamp),
  lastUsedAt: field.message(7, Timestamp),
  usageCount: field.int64(8),
  description: field.string(9),
  recordType: field.string(10),
  shared: field.bool(11),
  parents: field.strings(12),
});

const DiskUsageRequest = message("DiskUsageRequest", { filter: field.strings(1), ageLimit: field.int64(2) });
const DiskUsageResponse = message("DiskUsageResponse", { record: field.messages(1, UsageRecord) });

export const PruneRequest = message("PruneRequest", {
  filter: field.strings(1),
  all: field.bool(2),
  keepDuration: field.int64(3),
  reservedSpace: field.int64(4),
  maxUsedSpace: field.int64(5),
  minFreeSpace: field.int64(6),
});

export const Exporter = message("Exporter", { type: field.string(1), attributes: field.stringMap(2) });

export const CacheOptions = message("CacheOptions", {
  exportRefDeprecated: field.string(1),
  importRefsDeprecated: field.strings(2),
  exportAttributesDeprecated: field.stringMap(3),
  exports: field.messages(4, CacheOptionsEntry),
  imports: field.messages(5, CacheOptionsEntry),
});

export const SolveRequest = message("SolveRequest", {
  ref: field.string(1),
  definition: field.message(2, Definition),
  exporterDeprecated: field.string(3),
  exporterAttributesDeprecated: field.stringMap(4),
  session: field.string(5),
  frontend: field.string(6),
  frontendAttributes: field.stringMap(7),
  cache: field.message(8, CacheOptions),
  entitlements: field.strings(9),
  frontendInputs: field.messageMap(10, Definition),
  internal: field.bool(11),
  /** Opaque: only whether there is one. */
  sourcePolicy: field.bytes(12),
  exporters: field.messages(13, Exporter),
  enableSessionExporter: field.bool(14),
  sourcePolicySession: field.string(15),
});
const SolveResponse = message("SolveResponse", { exporterResponse: field.stringMap(1) });

export const Vertex = message("Vertex", {
  digest: field.string(1),
  inputs: field.strings(2),
  name: field.string(3),
  cached: field.bool(4),
  started: field.message(5, Timestamp),
  completed: field.message(6, Timestamp),
  error: field.string(7),
});
export const VertexStatus = message("VertexStatus", {
  id: field.string(1),
  vertex: field.string(2),
  name: field.string(3),
  current: field.int64(4),
  total: field.int64(5),
  timestamp: field.message(6, Timestamp),
  started: field.message(7, Timestamp),
  completed: field.message(8, Timestamp),
});
export const VertexLog = message("VertexLog", {
  vertex: field.string(1),
  timestamp: field.message(2, Timestamp),
  /** 1 is standard output, 2 standard error. */
  stream: field.int64(3),
  message: field.bytes(4),
});
export const VertexWarning = message("VertexWarning", {
  vertex: field.string(1),
  level: field.int64(2),
  short: field.bytes(3),
  detail: field.manyBytes(4),
  url: field.string(5),
  info: field.message(6, SourceInfo),
  ranges: field.messages(7, Range),
});
const StatusRequest = message("StatusRequest", { ref: field.string(1) });
export const StatusResponse = message("StatusResponse", {
  vertexes: field.messages(1, Vertex),
  statuses: field.messages(2, VertexStatus),
  logs: field.messages(3, VertexLog),
  warnings: field.messages(4, VertexWarning),
});

const InfoResponse = message("InfoResponse", { buildkitVersion: field.message(1, BuildkitVersion) });
const ListWorkersRequest = message("ListWorkersRequest", { filter: field.strings(1) });
const ListWorkersResponse = message("ListWorkersResponse", { record: field.messages(1, WorkerRecord) });

const Descriptor = message("Descriptor", {
  mediaType: field.string(1),
  digest: field.string(2),
  size: field.int64(3),
  annotations: field.stringMap(5),
});
const BuildResultInfo = message("BuildResultInfo", {
  resultDeprecated: field.message(1, Descriptor),
  attestations: field.messages(2, Descriptor),
});
export const BuildHistoryRecord = message("BuildHistoryRecord", {
  ref: field.string(1),
  frontend: field.string(2),
  frontendAttributes: field.stringMap(3),
  exporters: field.messages(4, Exporter),
  error: field.message(5, RpcStatus),
  createdAt: field.message(6, Timestamp),
  completedAt: field.message(7, Timestamp),
  logs: field.message(8, Descriptor),
  exporterResponse: field.stringMap(9),
  result: field.message(10, BuildResultInfo),
  generation: field.int32(12),
  pinned: field.bool(14),
  numCachedSteps: field.int32(15),
  numTotalSteps: field.int32(16),
  numCompletedSteps: field.int32(17),
  numWarnings: field.int32(19),
});
/** `type` of a {@link BuildHistoryEvent}. */
export const HistoryEventType = { started: 0, complete: 1, deleted: 2 } as const;
export const BuildHistoryEvent = message("BuildHistoryEvent", {
  type: field.int32(1),
  record: field.message(2, BuildHistoryRecord),
});
export const BuildHistoryRequest = message("BuildHistoryRequest", {
  activeOnly: field.bool(1),
  ref: field.string(2),
  earlyExit: field.bool(3),
  filter: field.strings(4),
  limit: field.int32(5),
});
const UpdateBuildHistoryRequest = message("UpdateBuildHistoryRequest", {
  ref: field.string(1),
  pinned: field.bool(2),
  delete: field.bool(3),
  finalize: field.bool(4),
});

const SERVICE = "moby.buildkit.v1.Control";

export const Control = {
  diskUsage: method(SERVICE, "DiskUsage", DiskUsageRequest, DiskUsageResponse),
  prune: method(SERVICE, "Prune", PruneRequest, UsageRecord),
  solve: method(SERVICE, "Solve", SolveRequest, SolveResponse),
  status: method(SERVICE, "Status", StatusRequest, StatusResponse),
  session: method(SERVICE, "Session", BytesMessage, BytesMessage),
  listWorkers: method(SERVICE, "ListWorkers", ListWorkersRequest, ListWorkersResponse),
  info: method(SERVICE, "Info", Empty, InfoResponse),
  listenBuildHistory: method(SERVICE, "ListenBuildHistory", BuildHistoryRequest, BuildHistoryEvent),
  updateBuildHistory: method(SERVICE, "UpdateBuildHistory", UpdateBuildHistoryRequest, Empty),
} as const;
