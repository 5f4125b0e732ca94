import { type Clock, Internal, sleep } from "@boxship/base";
import type { Cgroup } from "@boxship/kernel";

const POLL_MS = 2;
const LONGEST_WAIT_MS = 5000;

/** Removes a group whose processes are about to be gone. @throws Internal when they stay */
export async function removeCgroup(group: Cgroup, clock: Clock): Promise<void> {
  const start = clock.monotonic();
  while (!group.removeNow()) {
    if (clock.monotonic() - start > LONGEST_WAIT_MS) throw new Internal(`cgroup ${group.name} does not become empty`);
    await sleep(clock, POLL_MS);
  }
}
