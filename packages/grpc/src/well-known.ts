import { field, message, type ValueOf } from "./message.ts";

/** `google.protobuf.Timestamp`. */
export const Timestamp = message("Timestamp", { seconds: field.int64(1), nanos: field.int32(2) });

/** @param time milliseconds since the epoch */
export function timestamp(time: number): ValueOf<typeof Timestamp> {
  const seconds = Math.floor(time / 1000);
  return { seconds, nanos: Math.round((time - seconds * 1000) * 1e6) };
}

/** Milliseconds since the epoch; undefined when it is absent. */
export function milliseconds(value: ValueOf<typeof Timestamp> | undefined): number | undefined {
  return value === undefined ? undefined : value.seconds * 1000 + value.nanos / 1e6;
}

/** `google.protobuf.Any`. */
export const AnyMessage = message("Any", { typeUrl: field.string(1), value: field.bytes(2) });

/** `google.rpc.Status`: what a gRPC error carries in full. */
export const RpcStatus = message("Status", {
  code: field.int32(1),
  message: field.string(2),
  details: field.messages(3, AnyMessage),
});

/** `google.protobuf.Empty`. */
export const Empty = message("Empty", {});
