import { field, message } from "@boxship/grpc";

/** One file, as both sides of a synchronisation describe it. */
export const Stat = message("Stat", {
  /** Names are bytes: each char is one. */
  path: field.latin1(1),
  /** Go's `os.FileMode`: permissions below, kinds in the upper bits. */
  mode: field.uint32(2),
  uid: field.uint32(3),
  gid: field.uint32(4),
  size: field.int64(5),
  /** Nanoseconds since the epoch. */
  modTime: field.big(6),
  /** Target of a symbolic link, or the first name of a hard link. */
  linkname: field.latin1(7),
  devMajor: field.int64(8),
  devMinor: field.int64(9),
  xattrs: field.bytesMap(10),
});

/** `type` of a {@link Packet}. */
export const PacketType = { stat: 0, request: 1, data: 2, finish: 3, error: 4 } as const;

/** One message of a synchronisation. */
export const Packet = message("Packet", {
  type: field.int32(1),
  stat: field.message(2, Stat),
  id: field.uint32(3),
  data: field.bytes(4),
});
