import { InvalidArgument } from "@boxship/base";
import type { HealthConfig } from "@boxship/engine";
import { type Codec, duration, field, integer, object, strings } from "./codec.ts";

const fields = object<HealthConfig>("HealthConfig", {
  test: field("Test", strings),
  intervalMs: field("Interval", duration),
  timeoutMs: field("Timeout", duration),
  startPeriodMs: field("StartPeriod", duration),
  startIntervalMs: field("StartInterval", duration, { since: 44 }),
  retries: field("Retries", integer("int")),
});

/** A health check; durations must be 0 (inherit) or at least a millisecond. */
export const healthConfig: Codec<HealthConfig> = {
  ...fields,
  decode(value, at, context) {
    const config = fields.decode(value, at, context);
    requireMillisecond("Interval", config.intervalMs);
    requireMillisecond("Timeout", config.timeoutMs);
    requireMillisecond("StartPeriod", config.startPeriodMs);
    requireMillisecond("StartInterval", config.startIntervalMs);
    if ((config.retries ?? 0) < 0) throw new InvalidArgument("Retries in Healthcheck cannot be negative");
    return config;
  },
};

function requireMillisecond(name: string, ms: number | undefined): void {
  if (ms !== undefined && ms < 1) throw new InvalidArgument(`${name} in Healthcheck cannot be less than 1ms`);
}
