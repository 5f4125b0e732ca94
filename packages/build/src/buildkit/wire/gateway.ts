import { Empty, field, message, method, RpcStatus } from "@boxship/grpc";
import {
  ApiCapability,
  CacheOptionsEntry,
  Definition,
  Platform,
  Range,
  SourceInfo,
  SourceOperation,
  WorkerRecord,
} from "./common.ts";
import { Stat } from "./fsutil.ts";

// `moby.buildkit.v1.frontend.LLBBridge`: what a client does inside a build that it has started with `Control.Solve`.

export const Ref = message("Ref", { id: field.string(1), definition: field.message(2, Definition) });
const RefMap = message("RefMap", { refs: field.messageMap(1, Ref) });
export const Result = message("Result", {
  refDeprecated: field.string(1),
  ref: field.message(3, Ref),
  refs: field.message(4, RefMap),
  metadata: field.bytesMap(10),
});

const ReturnRequest = message("ReturnRequest", {
  result: field.message(1, Result),
  error: field.message(2, RpcStatus),
});
const InputsResponse = message("InputsResponse", { definitions: field.messageMap(1, Definition) });

const ResolveImageConfigRequest = message("ResolveImageConfigRequest", {
  ref: field.string(1),
  platform: field.message(2, Platform),
  resolveMode: field.string(3),
  logName: field.string(4),
});
const ResolveImageConfigResponse = message("ResolveImageConfigResponse", {
  digest: field.string(1),
  config: field.bytes(2),
  ref: field.string(3),
});
const ResolveSourceMetaRequest = message("ResolveSourceMetaRequest", {
  source: field.message(1, SourceOperation),
  platform: field.message(2, Platform),
  logName: field.string(3),
  resolveMode: field.string(4),
});
const ResolveSourceMetaResponse = message("ResolveSourceMetaResponse", { source: field.message(1, SourceOperation) });

export const GatewaySolveRequest = message("SolveRequest", {
  definition: field.message(1, Definition),
  frontend: field.string(2),
  frontendOptions: field.stringMap(3),
  allowResultReturn: field.bool(5),
  allowResultArrayRef: field.bool(6),
  final: field.bool(10),
  cacheImports: field.messages(12, CacheOptionsEntry),
  frontendInputs: field.messageMap(13, Definition),
  evaluate: field.bool(14),
});
const GatewaySolveResponse = message("SolveResponse", { ref: field.string(1), result: field.message(3, Result) });

const FileRange = message("FileRange", { offset: field.int64(1), length: field.int64(2) });
const ReadFileRequest = message("ReadFileRequest", {
  ref: field.string(1),
  path: field.string(2),
  range: field.message(3, FileRange),
});
const ReadFileResponse = message("ReadFileResponse", { data: field.bytes(1) });
const ReadDirRequest = message("ReadDirRequest", {
  ref: field.string(1),
  path: field.string(2),
  includePattern: field.string(3),
});
const ReadDirResponse = message("ReadDirResponse", { entries: field.messages(1, Stat) });
const StatFileRequest = message("StatFileRequest", { ref: field.string(1), path: field.string(2) });
const StatFileResponse = message("StatFileResponse", { stat: field.message(1, Stat) });
const EvaluateRequest = message("EvaluateRequest", { ref: field.string(1) });
const PongResponse = message("PongResponse", {
  frontendCapabilities: field.messages(1, ApiCapability),
  operationCapabilities: field.messages(2, ApiCapability),
  workers: field.messages(3, WorkerRecord),
});
const WarnRequest = message("WarnRequest", {
  digest: field.string(1),
  level: field.int64(2),
  short: field.bytes(3),
  detail: field.manyBytes(4),
  url: field.string(5),
  info: field.message(6, SourceInfo),
  ranges: field.messages(7, Range),
});

const SERVICE = "moby.buildkit.v1.frontend.LLBBridge";

export const Bridge = {
  resolveImageConfig: method(SERVICE, "ResolveImageConfig", ResolveImageConfigRequest, ResolveImageConfigResponse),
  resolveSourceMeta: method(SERVICE, "ResolveSourceMeta", ResolveSourceMetaRequest, ResolveSourceMetaResponse),
  solve: method(SERVICE, "Solve", GatewaySolveRequest, GatewaySolveResponse),
  readFile: method(SERVICE, "ReadFile", ReadFileRequest, ReadFileResponse),
  readDir: method(SERVICE, "ReadDir", ReadDirRequest, ReadDirResponse),
  statFile: method(SERVICE, "StatFile", StatFileRequest, StatFileResponse),
  evaluate: method(SERVICE, "Evaluate", EvaluateRequest, Empty),
  ping: method(SERVICE, "Ping", Empty, PongResponse),
  return: method(SERVICE, "Return", ReturnRequest, Empty),
  inputs: method(SERVICE, "Inputs", Empty, InputsResponse),
  warn: method(SERVICE, "Warn", WarnRequest, Empty),
} as const;
