import type { ExecConfig } from "@boxship/engine";
import { boolean, type Codec, field, integer, list, object, string, stringOrStrings, strings } from "./codec.ts";

type ConsoleSize = readonly [height: number, width: number];

/** `[height, width]`; zeros mean that the client does not know. */
export const consoleSize: Codec<ConsoleSize> = {
  type: "[2]uint",
  decode(value, at, context) {
    const [height = 0, width = 0] = list(integer("uint16")).decode(value, at, context);
    return [height, width];
  },
  encode: (value) => value,
};

export function isKnownSize(size: ConsoleSize | undefined): size is ConsoleSize {
  return size !== undefined && size[0] > 0 && size[1] > 0;
}

const fields = object<ExecConfig>("ExecOptions", {
  user: field("User", string),
  privileged: field("Privileged", boolean),
  tty: field("Tty", boolean),
  consoleSize: field("ConsoleSize", consoleSize, { since: 42 }),
  attachStdin: field("AttachStdin", boolean),
  attachStdout: field("AttachStdout", boolean),
  attachStderr: field("AttachStderr", boolean),
  detachKeys: field("DetachKeys", string),
  env: field("Env", strings),
  workingDir: field("WorkingDir", string),
  cmd: field("Cmd", stringOrStrings, { absent: [] }),
});

/** The body of `exec`. */
export const execConfig: Codec<ExecConfig> = {
  ...fields,
  decode(value, at, context) {
    const { consoleSize: size, ...config } = fields.decode(value, at, context);
    return isKnownSize(size) ? { ...config, consoleSize: size } : config;
  },
};

export interface ExecStart {
  readonly detach?: boolean;
  readonly tty?: boolean;
  readonly consoleSize?: ConsoleSize;
}

/** The body of an exec's `start`. */
export const execStart: Codec<ExecStart> = object<ExecStart>("ExecStartOptions", {
  detach: field("Detach", boolean),
  tty: field("Tty", boolean),
  consoleSize: field("ConsoleSize", consoleSize, { since: 42 }),
});
