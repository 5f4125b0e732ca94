export { type CallOptions, type ClientCall, GrpcClient, type GrpcClientOptions } from "./client.ts";
export {
  type ClientSession,
  clientSession,
  type DialOptions,
  type DialTls,
  dial,
  serverSession,
} from "./connection.ts";
export { FrameReader, frame, MAX_MESSAGE_BYTES } from "./frame.ts";
export { field, type Init, type MessageType, message, type ValueOf } from "./message.ts";
export { writeFully } from "./message-stream.ts";
export type { Metadata } from "./metadata.ts";
export { type Method, method } from "./method.ts";
export {
  type Handler,
  onlyRequest,
  type ServeOptions,
  type ServerCall,
  serveGrpc,
  streaming,
  unary,
} from "./server.ts";
export { Code, codeName, codeOf, type ErrorDetail, errorOf, type Status, statusOf } from "./status.ts";
export { AnyMessage, Empty, milliseconds, RpcStatus, Timestamp, timestamp } from "./well-known.ts";
