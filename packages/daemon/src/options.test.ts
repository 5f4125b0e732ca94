import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import { parseConfig, withCertificates } from "./config-file.ts";
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
    [() => parseConfig("registries: {a.b: {mirrors: [ftp://x]}}", "f"), /mirrors\[0\] must be HOST\[:PORT\]/],
    [() => parseConfig("registries: {a.b: {mirrors: [garbage here]}}", "f"), /mirrors\[0\] must be HOST\[:PORT\]/],
    [() => parseConfig("registries: {a b: {insecure: true}}", "f"), /registries\.a b must be named as in an image's/],
    [() => parseConfig("log: {maxSize: banana}", "f"), /log\.maxSize must be a size such as 20m/],
    [() => parseConfig("root: rel", "f"), /root must be an absolute path/],
    [() => parseConfig("runtimes: {mine: bin/runc}", "f"), /runtimes\.mine must be an absolute path/],
    [() => parseConfig("audit: {path: rel}", "f"), /audit\.path must be an absolute path/],
    [() => parseConfig("addressPools: [{base: 10.0.0.0/8, size: 0}]", "f"), /addressPools\[0\]\.size/],
    [() => parseConfig("- 1", "f"), /the file must be a map/],
  ];
  for (const [act, message] of cases) {
    assert.throws(act, (error) => error instanceof InvalidArgument && message.test(error.message));
  }
});

test("every key is in the documentation", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/configuration.md"), "utf8");
  const keys = (source: string, at: string): string[] => {
    try {
      parseConfig(source, "f");
      return [];
    } catch (error) {
      const known = /\(known: (.*)\)$/.exec((error as Error).message)?.[1]?.split(", ") ?? [];
      assert.ok(known.length > 0, at);
      return known;
    }
  };
  const nested = ["registries.HOST", "registry", "cni", "cdi", "log", "sockets.NAME", "audit"];
  for (const at of ["", ...nested]) {
    const path = [...at.split(".").filter(Boolean), "nosuch"];
    const source = JSON.stringify(path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), 1));
    for (const key of keys(source, at)) {
      const full = at === "" ? key : `${at}.${key}`;
      assert.ok(text.includes(`\`${full}`), full);
    }
  }
});

test("certificates of registries are read when the engine starts", () => {
  const directory = mkdtempSync(join(tmpdir(), "boxship-config-"));
  try {
    const ca = join(directory, "ca.pem");
    assert.throws(() => withCertificates({ "a.b": { ca } }), /registries\.a\.b\.ca cannot be used: .*ENOENT/);
    writeFileSync(ca, "garbage");
    assert.throws(() => withCertificates({ "a.b": { ca } }), /registries\.a\.b\.ca must be a file with PEM/);
    writeFileSync(ca, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert.throws(() => withCertificates({ "a.b": { ca } }), /registries\.a\.b\.ca cannot be used/);
    assert.deepEqual(withCertificates({ "a.b": { insecure: true } }), { "a.b": { insecure: true } });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a value of the wrong type is refused by the name of its key, whichever it is", () => {
  const keys = [
    ...["root", "group", "logLevel", "defaultRuntime", "policy"],
    ...[
      "runtimes.r",
      "registries.h.mirrors",
      "registries.h.insecure",
      "registries.h.blocked",
      "registries.h.ca",
      "registry.listen",
    ],
    ...["addressPools", "cni.configurations", "cni.plugins", "cdi.directories"],
    ...["sockets.s.role", "sockets.s.label", "sockets.s.mounts", "sockets.s.images", "sockets.s.path"],
    ...["audit.path", "audit.maxSize", "audit.maxFiles", "log.maxSize", "log.maxFile", "log.journalSocket"],
  ];
  for (const key of keys) {
    for (const wrong of [7.5, null, { odd: 1 }, [{ odd: 1 }]]) {
      const value = key.split(".").reduceRight<unknown>((inner, name) => ({ [name]: inner }), wrong);
      assert.throws(
        () => parseConfig(JSON.stringify(value), "f"),
        (error) => error instanceof InvalidArgument && error.message.includes(key),
        `${key}: ${JSON.stringify(wrong)}`,
      );
    }
  }
  const good = `{log: {maxSize: "20m", maxFile: 3}, registries: {"a.b:5000": {mirrors: ["m.b:5000", "http://m.b"]}}}`;
  assert.equal(parseConfig(good, "f").log?.maxFile, 3);
});
