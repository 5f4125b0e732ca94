import { InvalidArgument, sleep } from "@boxship/base";
import type { ContainerStats } from "@boxship/engine";
import type { ApiCall } from "../../http/call.ts";
import { JsonStream } from "../../http/json-stream.ts";
import { flag } from "../../http/query.ts";
import { defineRoute, ok, type Reply } from "../../http/route.ts";
import { encodeStats } from "../../view/stats.ts";

/** Time between two samples, which rates are made of. */
const INTERVAL_MS = 1000;

export const containerStats = defineRoute({
  method: "GET",
  path: "/containers/{id}/stats",
  doc: { state: "works" },
  query: (query, version) => {
    const stream = flag(query, "stream", true);
    const oneShot = version >= 41 && flag(query, "one-shot");
    if (stream && oneShot) throw new InvalidArgument("cannot have stream=true and one-shot=true");
    return { stream, oneShot };
  },
  handle: async (call, { query: { stream, oneShot } }): Promise<Reply | undefined> => {
    const container = await call.engine.containers.get(call.param("id"));
    const sample = () => call.engine.containers.stats(container.id);
    if (stream) {
      await streamStats(call, container, sample);
      return undefined;
    }
    const first = await sample();
    if (oneShot || !first.running) return ok(encodeStats(container, first, undefined));
    await sleep(call.context.clock, INTERVAL_MS, call.signal);
    return ok(encodeStats(container, await sample(), first));
  },
});

/** One sample a second, until the client or the container is gone. */
async function streamStats(
  call: ApiCall,
  container: { readonly id: string; readonly name: string },
  sample: () => Promise<ContainerStats>,
): Promise<void> {
  const { signal, context } = call;
  const stream = new JsonStream(call);
  let previous: ContainerStats | undefined;
  try {
    for (;;) {
      const current = await sample();
      await stream.write(encodeStats(container, current, previous));
      previous = current.running ? current : undefined;
      await sleep(context.clock, INTERVAL_MS, signal);
    }
  } catch (error) {
    if (!signal.aborted) {
      if (!stream.opened) throw error;
      context.logger.debug("stats ended", { request: call.id, error });
    }
    if (stream.opened) stream.end();
  }
}
