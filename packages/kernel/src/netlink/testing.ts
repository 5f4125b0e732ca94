import { closeSync, openSync } from "node:fs";
import { check, libc } from "../ffi.ts";

const CLONE_NEWNET = 0x40000000;
const unshareCall = libc.bind<number>("unshare", ["i32", "i32"]);
const setnsCall = libc.bind<number>("setns", ["i32", "i32", "i32"]);

/** For tests: the calling thread is in a new, empty network namespace until this is disposed. */
export class TestNamespace implements Disposable {
  readonly #home = openSync("/proc/thread-self/ns/net", "r");
  /** A descriptor of the new namespace, closed with it. */
  readonly fd: number;

  constructor() {
    check(unshareCall(CLONE_NEWNET), "unshare", "net");
    this.fd = openSync("/proc/thread-self/ns/net", "r");
  }

  /** Runs `work` in this namespace, from whichever the thread is in. */
  run<T>(work: () => T): T {
    const here = openSync("/proc/thread-self/ns/net", "r");
    check(setnsCall(this.fd, CLONE_NEWNET), "setns", "net");
    try {
      return work();
    } finally {
      check(setnsCall(here, CLONE_NEWNET), "setns", "net");
      closeSync(here);
    }
  }

  [Symbol.dispose](): void {
    check(setnsCall(this.#home, CLONE_NEWNET), "setns", "net");
    closeSync(this.#home);
    closeSync(this.fd);
  }
}
