import { DeadlineExceeded, sleep } from "@boxship/base";
import { tryLockFile } from "@boxship/kernel";
import type { ManagerContext } from "../live.ts";

const RETRY = 10;
const PATIENCE = 15_000;

/**
 * Runs `work`, which looks at the host's addresses and makes a network that keeps away from them, while no other
 * instance on this machine does the same.
 */
export async function withSubnetLock<T>(context: ManagerContext, work: () => Promise<T>): Promise<T> {
  using _lock = await takeLock(context);
  return await work();
}

async function takeLock({ clock, subnetLock }: ManagerContext): Promise<Disposable> {
  const deadline = clock.monotonic() + PATIENCE;
  for (;;) {
    const lock = tryLockFile(subnetLock, { transient: true });
    if (lock !== undefined) return lock;
    if (clock.monotonic() > deadline) {
      throw new DeadlineExceeded(`another instance holds ${subnetLock} for more than ${PATIENCE / 1000} s`, {
        subject: { kind: "file", name: subnetLock },
        remedy: "find the process that has the file open and end it",
      });
    }
    await sleep(clock, RETRY);
  }
}
