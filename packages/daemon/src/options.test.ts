import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import { parseConfig } from "./config-file.ts";
import { parseDaemonOptions } from "./options.ts";

test("defaults, and directories that follow the instance's name", () => {
  const plain = parseDaemonOptions([], {});
  assert.deepEqual([plain.root, plain.runDir, plain.logLevel], ["/var/lib/boxship", "/run/boxship", "info"]);
  const named = parseDaemonOptions(["--name", "two"], {});
  assert.deepEqual([named.root, named.runDir], ["/var/lib/boxship-two", "/run/boxship-two"]);
});

test("flags win over the environment, the environment over the file", () => {
  const directory = mkdtempSync(join(tmpdir(), "boxship-config-"));
  try {
    const file = join(directory, "config.yaml");
    writeFileSync(file, "root: /from/file\nlogLevel: warn\ngroup: builders\n");
    const options = parseDaemonOptions(["--config", file, "--log-level=debug"], { BOXSHIP_ROOT: "/from/env" });
    assert.deepEqual([options.root, options.logLevel, options.group], ["/from/env", "debug", "builders"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("what is not understood is refused by name", () => {
  const cases: readonly [() => unknown, RegExp][] = [
    [() => parseDaemonOptions(["--nonsense"], {}), /nonsense/],
    [() => parseDaemonOptions(["--name", "Much Too Long"], {}), /instance name "Much Too Long"/],
    [() => parseDaemonOptions(["--log-level", "loud"], {}), /log level "loud"/],
    [() => parseDaemonOptions(["--config", "/does/not/exist.yaml"], {}), /does\/not\/exist/],
    [() => parseConfig("a: [1", "f"), /f is not valid YAML/],
    [() => parseConfig("rot: /x", "f"), /rot must be left out: it is not known here/],
    [() => parseConfig("registries: {a.b: {mirrors: x}}", "f"), /registries\.a\.b\.mirrors must be a list/],
    [() => parseConfig("addressPools: [{base: 10.0.0.0/8, size: 0}]", "f"), /addressPools\[0\]\.size/],
    [() => parseConfig("- 1", "f"), /the file must be a map/],
  ];
  for (const [act, message] of cases) {
    assert.throws(act, (error) => error instanceof InvalidArgument && message.test(error.message));
  }
});
