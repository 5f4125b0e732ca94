import { InvalidArgument } from "@boxship/base";
import type { LogsOptions } from "@boxship/engine";
import { LogFramer } from "../../http/log-framer.ts";
import { streamType } from "../../http/multiplex.ts";
import { flag, text, timestamp } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";
import { StreamWriter } from "../../http/stream-writer.ts";

interface LogsQuery {
  readonly options: Omit<LogsOptions, "signal">;
  readonly timestamps: boolean;
  readonly details: boolean;
}

function logsQuery(query: URLSearchParams, version: number): LogsQuery {
  const stdout = flag(query, "stdout");
  const stderr = flag(query, "stderr");
  if (!stdout && !stderr) throw new InvalidArgument("bad parameters: you must choose at least one stream");
  const since = timestamp(query, "since");
  const until = version < 35 ? undefined : timestamp(query, "until");
  const tail = text(query, "tail");
  return {
    options: {
      stdout,
      stderr,
      follow: flag(query, "follow"),
      ...(since === undefined || since === 0 ? {} : { since }),
      ...(until === undefined || until === 0 ? {} : { until }),
      // Whatever is no number means all, as Docker has it.
      ...(tail !== undefined && /^\d{1,15}$/.test(tail) ? { tail: Number(tail) } : {}),
    },
    timestamps: flag(query, "timestamps"),
    details: flag(query, "details"),
  };
}

export const containerLogs = defineRoute({
  method: "GET",
  path: "/containers/{id}/logs",
  doc: { state: "works" },
  query: logsQuery,
  handle: async (call, { query: { options, timestamps, details } }) => {
    const { engine, response, signal, version } = call;
    const ref = call.param("id");
    const { effective } = await engine.containers.get(ref);
    const tty = effective.tty === true;
    const blocks = await engine.containers.logs(ref, { ...options, signal });
    const prefix = details ? { details: encodeDetails(await engine.containers.logAttributes(ref)) } : {};
    response.writeHead(200, { "Content-Type": streamType(tty, version) });
    response.flushHeaders();
    const framer = new LogFramer({
      framed: !tty,
      timestamps,
      ...prefix,
    });
    const writer = new StreamWriter(response);
    try {
      for await (const block of blocks) {
        const behind = writer.push(framer.frame(block));
        if (behind !== undefined) await behind;
        if (writer.closed) return undefined;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    writer.end();
    return undefined;
  },
});

/** `name=value` pairs in the order of their names, escaped as in the query of an address. */
function encodeDetails(attributes: Readonly<Record<string, string>>): string {
  const names = Object.keys(attributes).sort();
  return names.map((name) => `${queryEscape(name)}=${queryEscape(attributes[name] ?? "")}`).join(",");
}

function queryEscape(plain: string): string {
  const hex = (letter: string) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(plain)
    .replaceAll(/[!'()*]/g, hex)
    .replaceAll("%20", "+");
}
