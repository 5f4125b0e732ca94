/** Go's `os.FileMode` bits, which file synchronisation speaks, beside `st_mode`'s. */

const Go = {
  directory: 0x8000_0000,
  symlink: 1 << 27,
  device: 1 << 26,
  fifo: 1 << 25,
  socket: 1 << 24,
  setuid: 1 << 23,
  setgid: 1 << 22,
  character: 1 << 21,
  sticky: 1 << 20,
} as const;

const Unix = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;

/** `st_mode` of a Go mode. */
export function unixMode(mode: number): number {
  let bits = mode & 0o777;
  if ((mode & Go.setuid) !== 0) bits |= 0o4000;
  if ((mode & Go.setgid) !== 0) bits |= 0o2000;
  if ((mode & Go.sticky) !== 0) bits |= 0o1000;
  return bits | unixKind(mode);
}

function unixKind(mode: number): number {
  if ((mode & Go.directory) !== 0) return Unix.directory;
  if ((mode & Go.symlink) !== 0) return Unix.symlink;
  if ((mode & Go.fifo) !== 0) return Unix.fifo;
  if ((mode & Go.socket) !== 0) return Unix.socket;
  if ((mode & Go.device) !== 0) return (mode & Go.character) === 0 ? Unix.block : Unix.character;
  return Unix.file;
}

/** The Go mode of an `st_mode`. */
export function goMode(mode: number): number {
  let bits = mode & 0o777;
  if ((mode & 0o4000) !== 0) bits |= Go.setuid;
  if ((mode & 0o2000) !== 0) bits |= Go.setgid;
  if ((mode & 0o1000) !== 0) bits |= Go.sticky;
  return (bits | goKind(mode)) >>> 0;
}

function goKind(mode: number): number {
  switch (mode & 0o170000) {
    case Unix.directory:
      return Go.directory;
    case Unix.symlink:
      return Go.symlink;
    case Unix.fifo:
      return Go.fifo;
    case Unix.socket:
      return Go.socket;
    case Unix.block:
      return Go.device;
    case Unix.character:
      return Go.device | Go.character;
    default:
      return 0;
  }
}

export type FileKind = "file" | "directory" | "symlink" | "socket" | "special";

/** @param mode as `st_mode` */
export function fileKind(mode: number): FileKind {
  switch (mode & 0o170000) {
    case Unix.file:
      return "file";
    case Unix.directory:
      return "directory";
    case Unix.symlink:
      return "symlink";
    case Unix.socket:
      return "socket";
    default:
      return "special";
  }
}
