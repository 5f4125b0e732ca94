import { InvalidArgument } from "@boxship/base";
import type { LogFrame, LogsOptions } from "@boxship/engine";
import { frameHeader, streamType } from "../../http/multiplex.ts";
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
    const frames = await engine.containers.logs(ref, { ...options, signal });
    response.writeHead(200, { "Content-Type": streamType(tty, version) });
    response.flushHeaders();
    const writer = new StreamWriter(response);
    try {
      for await (const frame of frames) {
        const line = encodeLine(frame, timestamps, details);
        const behind = tty ? writer.push(line) : writer.push(frameHeader(frame.stream, line.length), line);
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

/** A line as it is sent; with details there would be a driver's attributes first, and there are none. */
function encodeLine({ time, data }: LogFrame, timestamps: boolean, details: boolean): Buffer {
  if (!timestamps && !details) return data;
  const prefix = `${timestamps ? `${time} ` : ""}${details ? " " : ""}`;
  return Buffer.concat([Buffer.from(prefix, "latin1"), data]);
}
