import { pino, stdTimeFunctions } from "pino";

/**
 * Structured logs: one JSON object a line with `level`, `time` (RFC 3339), `msg` and the fields of the call; errors
 * under any key keep message, code, stack and cause.
 */
export type LogLevel = "debug" | "info" | "warn" | "error";

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same logger with fields added to every line. */
  with(fields: LogFields): Logger;
}

export interface LoggerOptions {
  /** Least severe level that is written. @default "info" */
  readonly level?: LogLevel;
  /** Where a line goes, its newline included. @default standard error */
  readonly write?: (line: string) => void;
}

/** Errors become their message, code, stack and cause; everything else is as JSON has it. */
function plain(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const code = "code" in value ? value.code : undefined;
  const cause = value.cause === undefined ? undefined : plain(value.cause);
  const both =
    value instanceof SuppressedError ? { error: plain(value.error), suppressed: plain(value.suppressed) } : {};
  return { message: value.message, code, stack: value.stack, cause, ...both };
}

function plainFields(fields: LogFields = {}): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value)]));
}

export function createLogger(options: LoggerOptions = {}): Logger {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const sink = pino(
    {
      level: options.level ?? "info",
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return wrap(sink);
}

function wrap(sink: pino.Logger): Logger {
  return {
    debug: (message, fields) => sink.debug(plainFields(fields), message),
    info: (message, fields) => sink.info(plainFields(fields), message),
    warn: (message, fields) => sink.warn(plainFields(fields), message),
    error: (message, fields) => sink.error(plainFields(fields), message),
    with: (fields) => wrap(sink.child(plainFields(fields))),
  };
}

/** A logger that drops everything. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLogger,
};
