import { InvalidArgument } from "@boxship/base";
import { text } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";

type Condition = "not-running" | "next-exit" | "removed";

/** Before 1.30 there was one condition. */
function condition(query: URLSearchParams, version: number): Condition {
  const name = version < 30 ? "not-running" : (text(query, "condition") ?? "not-running");
  if (name === "not-running" || name === "next-exit" || name === "removed") return name;
  throw new InvalidArgument(`invalid condition: ${JSON.stringify(name)}`);
}

export const containerWait = defineRoute({
  method: "POST",
  path: "/containers/{id}/wait",
  doc: { state: "works" },
  query: condition,
  handle: async (call, { query }) => {
    const { engine, response, signal, version } = call;
    const ref = call.param("id");
    const waiting = engine.containers.wait(ref, query, signal);
    // The head tells the client that its wait counts from now on, so that it may start the container.
    await Promise.race([waiting, engine.containers.get(ref)]);
    response.setHeader("Content-Type", "application/json");
    if (version >= 30) response.flushHeaders();
    const { exitCode, error } = await waiting.catch((reason: unknown) => {
      if (signal.aborted) return { exitCode: 0, error: undefined };
      throw reason;
    });
    if (signal.aborted) {
      response.destroy();
      return undefined;
    }
    const failure = error === undefined || error === "" ? {} : { Error: { Message: error } };
    response.end(`${JSON.stringify({ StatusCode: exitCode, ...failure })}\n`);
    return undefined;
  },
});
