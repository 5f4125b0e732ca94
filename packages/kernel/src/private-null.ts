import { fchmodSync } from "node:fs";
import { FileType, makeDevice, mknodat, unlinkat } from "./directory-entry.ts";
import type { Fd } from "./fd.ts";
import { createMount } from "./mount-filesystem.ts";
import { OpenFlag, openat } from "./open.ts";

const NULL_DEVICE = makeDevice(1, 3);
const READABLE_AND_WRITABLE = 0o666;

/**
 * Null devices of our own, one for each {@link PrivateNull.open}: for programs that give their standard streams away to
 * somebody, `/dev/null` of the machine included. They are in a file system that is mounted nowhere.
 *
 * Needs the right to make device nodes: not in user namespaces.
 */
export class PrivateNull implements Disposable {
  readonly #place: Fd;
  #next = 0;

  constructor() {
    this.#place = createMount({ type: "tmpfs", source: "boxship-null", options: [["size", "64k"]] });
  }

  /** The caller closes it. */
  open(): Fd {
    const name = `null-${this.#next++}`;
    mknodat(this.#place, name, FileType.Character | READABLE_AND_WRITABLE, NULL_DEVICE);
    try {
      const opened = openat(this.#place, name, OpenFlag.ReadWrite);
      // Without what the process's mask takes away.
      fchmodSync(opened.number, READABLE_AND_WRITABLE);
      return opened;
    } finally {
      unlinkat(this.#place, name);
    }
  }

  [Symbol.dispose](): void {
    this.#place.close();
  }
}
