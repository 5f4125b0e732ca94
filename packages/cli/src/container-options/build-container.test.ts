import { deepEqual, rejects } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Context } from "../context.ts";
import { Failure, FlagError } from "../failure.ts";
import { parseFlags } from "../flags/parse-flags.ts";

const directory = fileURLToPath(new URL("../testdata/create", import.meta.url));
process.chdir(directory);
process.env["EXPORTED"] = "yes";

// The flags read this process' environment and directory, so both are set first.
const { containerFlags } = await import("./container-flags.ts");
const { buildContainer } = await import("./build-container.ts");

const context = {
  env: { EXPORTED: "yes", HOME: "/root" },
  endpoint: { kind: "unix", path: "/x" },
  config: () => Promise.resolve({ path: "", content: {}, more: [] }),
} as unknown as Context;

async function build(args: readonly string[]): Promise<unknown> {
  const { values, changed, operands } = parseFlags(containerFlags, args, { interspersed: false });
  const [image = "", ...rest] = operands;
  return buildContainer(context, { flags: values, changed, image, args: rest });
}

/** Without what means nothing: a missing member and an empty one are the same to the engine, but for paths and ports. */
function essential(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(essential);
  if (typeof value !== "object" || value === null) return value;
  const members: [string, unknown][] = [];
  for (const [key, member] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const kept = essential(member);
    const empty = typeof kept === "object" && kept !== null && Object.keys(kept).length === 0;
    const counts = key === "MaskedPaths" || key === "ReadonlyPaths" || /^\d|^\//.test(key);
    if (kept === null || kept === undefined || kept === "" || kept === 0 || kept === false || (empty && !counts))
      continue;
    members.push([key, key === "Binds" ? (kept as string[]).toSorted() : kept]);
  }
  return Object.fromEntries(members);
}

/** `testdata/create/bodies.jsonl`: command lines, and what Docker's client 28.5 sent for them. */
const golden = readFileSync("bodies.jsonl", "utf8")
  .replaceAll("<cwd>", directory)
  .replaceAll("<parent>", dirname(directory))
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as { readonly args: readonly string[]; readonly body: object });

for (const { args, body } of golden) {
  test(`as Docker's client: ${args.join(" ").replaceAll(directory, basename(directory))}`, async () => {
    // The terminal's size and the name are the command's to add.
    const { HostConfig, ...rest } = body as { readonly HostConfig?: Readonly<Record<string, unknown>> };
    const { ConsoleSize: _, ...host } = HostConfig ?? {};
    deepEqual(essential(await build(args)), essential({ ...rest, HostConfig: host }));
  });
}

const invalid: readonly [args: string, message: string][] = [
  ["-m 1z x", 'invalid argument "1z" for "-m, --memory" flag: invalid suffix: \'z\''],
  ["--cpus=--1 x", 'invalid argument "--1" for "--cpus" flag: failed to parse --1 as a rational number'],
  ["--cpus x x", 'invalid argument "x" for "--cpus" flag: failed to parse x as a rational number'],
  ["--cpus 0.0000000001 x", 'invalid argument "0.0000000001" for "--cpus" flag: value is too precise'],
  ["--ulimit foo x", 'invalid argument "foo" for "--ulimit" flag: invalid ulimit argument: foo'],
  ["--ulimit foo=1 x", 'invalid argument "foo=1" for "--ulimit" flag: invalid ulimit type: foo'],
  [
    "--ulimit nofile=5:1 x",
    'invalid argument "nofile=5:1" for "--ulimit" flag: ulimit soft limit must be less than or equal to hard limit: 5 > 1',
  ],
  ["--add-host foo x", 'invalid argument "foo" for "--add-host" flag: bad format for add-host: "foo"'],
  ["--add-host a:1.2 x", 'invalid argument "a:1.2" for "--add-host" flag: invalid IP address in add-host: "1.2"'],
  ["--dns 1.2 x", 'invalid argument "1.2" for "--dns" flag: IP address is not correctly formatted: 1.2'],
  ["-e =x x", 'invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x'],
  ["--sysctl foo=1 x", 'invalid argument "foo=1" for "--sysctl" flag: sysctl \'foo=1\' is not allowed'],
  ["-a foo x", 'invalid argument "foo" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR'],
  [
    "--mount dst=/x,foo x",
    'invalid argument "dst=/x,foo" for "--mount" flag: invalid field \'foo\' must be a key=value pair',
  ],
  ["--mount type=bind x", 'invalid argument "type=bind" for "--mount" flag: target is required'],
  [
    "--mount type=bind,dst=/x,volume-nocopy x",
    "invalid argument \"type=bind,dst=/x,volume-nocopy\" for \"--mount\" flag: cannot mix 'volume-*' options with mount type 'bind'",
  ],
  ["--network alias=y x", 'invalid argument "alias=y" for "--network" flag: network name/id is not specified'],
  ["-p foo x", "invalid containerPort: foo"],
  ["-p 1-2:3-5 x", "invalid ranges specified for container and host Ports: 3-5 and 1-2"],
  ["-p 1.2.3:80:80 x", "invalid IP address: 1.2.3"],
  ["-p 80/foo x", "invalid proto: foo"],
  ["-p 80:99999 x", "invalid containerPort: 99999"],
  ["--expose 1:2 x", "invalid port format for --expose: 1:2"],
  ["-v :/a x", "invalid spec: :/a: empty section between colons"],
  ["--device foo x", "foo is not an absolute path"],
  ["--device /a:/b:x x", "bad mode specified: x"],
  ["--pid foo x", "--pid: invalid PID mode"],
  ["--rm --restart always x", "conflicting options: cannot specify both --restart and --rm"],
  ["--restart on-failure:x x", "invalid restart policy format: maximum retry count must be an integer"],
  ["--memory-swappiness 101 x", "invalid value: 101. Valid memory swappiness range is 0-100"],
  ["--no-healthcheck --health-cmd x x", "--no-healthcheck conflicts with --health-* options"],
  ["--health-interval=-1s x", "--health-interval cannot be negative"],
  ["--security-opt foo x", 'Invalid --security-opt: "foo"'],
  ["--security-opt seccomp=/nope x", "opening seccomp profile (/nope) failed: open /nope: no such file or directory"],
  ["--env-file /nope x", "open /nope: no such file or directory"],
  ["--mac-address foo x", "foo is not a valid mac address"],
  ["--network host --network-alias a x", "network-scoped aliases are only supported for user-defined networks"],
  ["--network none --network none x", 'network "none" is specified multiple times'],
  [
    "--network a --network none x",
    "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
  ],
  [
    "--network name=a,ip=1.2.3.4 --ip 1.2.3.5 x",
    "conflicting options: cannot specify both --ip and per-network IPv4 address",
  ],
  [
    "--gpus x x",
    'invalid argument "x" for "--gpus" flag: invalid count (x): value must be either "all" or an integer: invalid syntax',
  ],
  [
    "--isolation x x",
    'invalid argument "x" for "--isolation" flag: not supported: it exists only for Windows containers',
  ],
  [
    "--disable-content-trust=false x",
    'invalid argument "false" for "--disable-content-trust" flag: not supported: content trust is not implemented',
  ],
];

for (const [line, message] of invalid) {
  test(`refused: ${line}`, () =>
    rejects(
      () => build(line.split(" ")),
      (error: Error) => {
        deepEqual([error.message, error instanceof Failure || error instanceof FlagError], [message, true]);
        return true;
      },
    ));
}
