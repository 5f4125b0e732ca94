import { Empty, field, message, method } from "@boxship/grpc";
import { BytesMessage } from "./common.ts";
import { Packet } from "./fsutil.ts";

// What a client serves on its session: files, credentials, secrets, agents, and places for results.

export const FileSync = { diffCopy: method("moby.filesync.v1.FileSync", "DiffCopy", Packet, Packet) } as const;

/** Without a directory at the other end it takes one file: then both directions are {@link BytesMessage}s. */
export const FileSend = {
  diffCopy: method("moby.filesync.v1.FileSend", "DiffCopy", Packet, Packet),
  file: method("moby.filesync.v1.FileSend", "DiffCopy", BytesMessage, BytesMessage),
} as const;

const CredentialsRequest = message("CredentialsRequest", { host: field.string(1) });
const CredentialsResponse = message("CredentialsResponse", { username: field.string(1), secret: field.string(2) });
export const Auth = {
  credentials: method("moby.filesync.v1.Auth", "Credentials", CredentialsRequest, CredentialsResponse),
} as const;

const GetSecretRequest = message("GetSecretRequest", { id: field.string(1), annotations: field.stringMap(2) });
const GetSecretResponse = message("GetSecretResponse", { data: field.bytes(1) });
export const Secrets = {
  getSecret: method("moby.buildkit.secrets.v1.Secrets", "GetSecret", GetSecretRequest, GetSecretResponse),
} as const;

const CheckAgentRequest = message("CheckAgentRequest", { id: field.string(1) });
export const Ssh = {
  checkAgent: method("moby.sshforward.v1.SSH", "CheckAgent", CheckAgentRequest, Empty),
  forwardAgent: method("moby.sshforward.v1.SSH", "ForwardAgent", BytesMessage, BytesMessage),
} as const;

/** A context that the client reads from its standard input. */
export const Upload = { pull: method("moby.upload.v1.Upload", "Pull", BytesMessage, BytesMessage) } as const;

const HealthCheckRequest = message("HealthCheckRequest", { service: field.string(1) });
/** 1 is serving. */
const HealthCheckResponse = message("HealthCheckResponse", { status: field.int32(1) });
export const Health = {
  check: method("grpc.health.v1.Health", "Check", HealthCheckRequest, HealthCheckResponse),
} as const;

/** Traces that clients send; taken and dropped. */
export const TraceExport = {
  export: method("opentelemetry.proto.collector.trace.v1.TraceService", "Export", Empty, Empty),
} as const;

const ContentInfo = message("Info", { digest: field.string(1), size: field.int64(2) });
const InfoRequest = message("InfoRequest", { digest: field.string(1) });
const InfoResponse = message("InfoResponse", { info: field.message(1, ContentInfo) });
const ReadContentRequest = message("ReadContentRequest", {
  digest: field.string(1),
  offset: field.int64(2),
  size: field.int64(3),
});
const ReadContentResponse = message("ReadContentResponse", { offset: field.int64(1), data: field.bytes(2) });
/** `action` of {@link WriteContentRequest}. */
export const WriteAction = { stat: 0, write: 1, commit: 2 } as const;
const WriteContentRequest = message("WriteContentRequest", {
  action: field.int32(1),
  ref: field.string(2),
  total: field.int64(3),
  expected: field.string(4),
  offset: field.int64(5),
  data: field.bytes(6),
});
const WriteContentResponse = message("WriteContentResponse", {
  action: field.int32(1),
  offset: field.int64(4),
  total: field.int64(5),
  digest: field.string(6),
});

const CONTENT = "containerd.services.content.v1.Content";

/** Blobs at the client, in the store that the call's metadata names. */
export const Content = {
  info: method(CONTENT, "Info", InfoRequest, InfoResponse),
  read: method(CONTENT, "Read", ReadContentRequest, ReadContentResponse),
  write: method(CONTENT, "Write", WriteContentRequest, WriteContentResponse),
} as const;
