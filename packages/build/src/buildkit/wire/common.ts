import { field, message } from "@boxship/grpc";

/** One piece of a raw stream, as several services have it. */
export const BytesMessage = message("BytesMessage", { data: field.bytes(1) });

export const Platform = message("Platform", {
  architecture: field.string(1),
  os: field.string(2),
  variant: field.string(3),
  osVersion: field.string(4),
  osFeatures: field.strings(5),
});

export const Position = message("Position", { line: field.int32(1), character: field.int32(2) });
export const Range = message("Range", { start: field.message(1, Position), end: field.message(2, Position) });

/** A source file in messages of errors and warnings. */
export const SourceInfo = message("SourceInfo", {
  filename: field.string(1),
  data: field.bytes(2),
  language: field.string(4),
});

/** A graph of operations: each of `operations` is an {@link Operation}. */
export const Definition = message("Definition", {
  operations: field.manyBytes(1),
  metadata: field.bytesMap(2),
  source: field.bytes(3),
});

export const SourceOperation = message("SourceOp", { identifier: field.string(1), attributes: field.stringMap(2) });
export const OperationInput = message("Input", { digest: field.string(1), index: field.int64(2) });
/** Only what this door looks at. */
export const Operation = message("Op", {
  inputs: field.messages(1, OperationInput),
  source: field.message(3, SourceOperation),
});

export const ApiCapability = message("APICap", {
  id: field.string(1),
  enabled: field.bool(2),
  deprecated: field.bool(3),
  disabledReason: field.string(4),
  disabledReasonMessage: field.string(5),
  disabledAlternative: field.string(6),
});

export const BuildkitVersion = message("BuildkitVersion", {
  package: field.string(1),
  version: field.string(2),
  revision: field.string(3),
  dockerfileVersion: field.string(4),
});

export const GcPolicy = message("GCPolicy", {
  all: field.bool(1),
  keepDuration: field.int64(2),
  reservedSpace: field.int64(3),
  filters: field.strings(4),
  maxUsedSpace: field.int64(5),
  minFreeSpace: field.int64(6),
});

export const WorkerRecord = message("WorkerRecord", {
  id: field.string(1),
  labels: field.stringMap(2),
  platforms: field.messages(3, Platform),
  gcPolicy: field.messages(4, GcPolicy),
  buildkitVersion: field.message(5, BuildkitVersion),
});

export const CacheOptionsEntry = message("CacheOptionsEntry", {
  type: field.string(1),
  attributes: field.stringMap(2),
});
