import { closeSync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { detachMount, mount } from "@boxship/kernel";

/**
 * A FUSE file system whose server never answers: whoever looks into it waits until it is disposed of.
 *
 * Our own process must not look either.
 */
export async function hungMount(target: string): Promise<Disposable> {
  await mkdir(target, { recursive: true });
  const server = openSync("/dev/fuse", "r+");
  try {
    const data = `fd=${server},rootmode=40000,user_id=0,group_id=0`;
    mount({ source: "boxship-test", target, type: "fuse", data });
  } catch (error) {
    closeSync(server);
    throw error;
  }
  return {
    [Symbol.dispose]() {
      // The end of the connection lets all who wait go on with an error.
      closeSync(server);
      detachMount(target);
    },
  };
}
