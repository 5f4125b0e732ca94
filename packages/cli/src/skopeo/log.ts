import { quote } from "@boxship/template";
import type { Context } from "../context.ts";
import { warn } from "../context.ts";

export type LogLevel = "debug" | "info" | "warning" | "fatal";

/** Lines on standard error in the form that skopeo's have: `time="…" level=info msg="…" key=value`. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, string>>) => void;

export function createLog(context: Context, debug: boolean, now: () => Date = () => new Date()): Log {
  return (level, message, fields = {}) => {
    if (level === "debug" && !debug) return;
    const more = Object.entries(fields)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ` ${key}=${bare(value)}`);
    const time = now()
      .toISOString()
      .replace(/\.\d+Z$/, "Z");
    warn(context, `time="${time}" level=${level} msg=${quote(message)}${more.join("")}`);
  };
}

/** Values are quoted only where they must be. */
function bare(value: string): string {
  return /^[A-Za-z0-9\-._/@^+]+$/.test(value) ? value : quote(value);
}
