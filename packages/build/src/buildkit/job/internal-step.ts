import { createHash, randomBytes } from "node:crypto";
import { errorMessage } from "@boxship/base";
import type { ProgressEvent } from "../../contract.ts";

/** Does work that is shown as a step of its own, `[internal] NAME`. */
export async function internalStep<Result>(
  name: string,
  progress: (event: ProgressEvent) => void,
  work: (vertex: string) => Promise<Result>,
): Promise<Result> {
  const digest = `sha256:${createHash("sha256").update(name).update(randomBytes(16)).digest("hex")}`;
  progress({ kind: "vertex", vertex: { digest, inputs: [], name: `[internal] ${name}` } });
  progress({ kind: "started", vertex: digest, time: Date.now() });
  try {
    const result = await work(digest);
    progress({ kind: "completed", vertex: digest, time: Date.now(), cached: false });
    return result;
  } catch (error) {
    progress({ kind: "failed", vertex: digest, time: Date.now(), error: errorMessage(error) });
    throw error;
  }
}
