import assert from "node:assert/strict";
import { test } from "node:test";
import { checkConfig, checkNames } from "./check-config.ts";
import type { ContainerConfig, HostConfig } from "./config.ts";

const BAD_CONFIGS: readonly (readonly [Omit<ContainerConfig, "image">, RegExp])[] = [
  [{ env: ["A=1", ""] }, /^invalid environment variable: $/],
  [{ env: ["=x"] }, /^invalid environment variable: =x$/],
  [{ hostname: "a".repeat(65) }, /^invalid hostname: a+… has 65 bytes, Linux takes 64$/],
  [{ hostname: "ä".repeat(33) }, /has 66 bytes/],
  [{ workingDir: "a" }, /^the working directory 'a' is invalid, it needs to be an absolute path$/],
  [{ workingDir: `/${"a".repeat(256)}` }, /longer than a path may be/],
  [{ workingDir: "/abc".repeat(1100) }, /longer than a path may be/],
  [{ stopSignal: "FOO" }, /^Invalid signal: FOO$/],
  [{ stopSignal: "0" }, /^Invalid signal: 0$/],
  [{ macAddress: "zz" }, /^address zz: invalid MAC address$/],
  [{ macAddress: "02:42:ac-11:00:02" }, /invalid MAC address/],
];

test("what no kernel takes is refused by name", () => {
  for (const [config, message] of BAD_CONFIGS) {
    assert.throws(() => checkConfig({ image: "i", ...config }), { code: "InvalidArgument", message });
  }
});

test("what is at the edge is taken", () => {
  checkConfig({
    image: "i",
    env: ["A=", "B", "C=a=b"],
    hostname: "a".repeat(64),
    workingDir: `/${"a".repeat(255)}`,
    stopSignal: "SIGRTMIN+3",
    macAddress: "02:42:AC:11:00:02",
  });
  checkConfig({ image: "i", macAddress: "02-42-ac-11-00-02", hostname: "", workingDir: "" });
});

test("names and addresses of resolvers are checked", () => {
  const bad: readonly (readonly [HostConfig, RegExp])[] = [
    [{ extraHosts: ["a"] }, /^bad format for add-host: "a"$/],
    [{ extraHosts: ["a:b"] }, /^invalid IP address in add-host: "b"$/],
    [{ extraHosts: ["a:1.1.1.1\n2.2.2.2 b"] }, /add-host/],
    [{ dns: ["abc"] }, /^invalid IP address of a DNS server: abc$/],
    [{ dnsOptions: ["a\nnameserver 1.1.1.1"] }, /^invalid dns-option/],
    [{ dnsSearch: ["a b"] }, /^invalid dns-search/],
  ];
  for (const [hostConfig, message] of bad) {
    assert.throws(() => checkNames(hostConfig), { code: "InvalidArgument", message });
  }
  checkNames({
    extraHosts: ["a:1.1.1.1", "b:[::1]", "c=::1", "d:host-gateway"],
    dns: ["1.1.1.1", "fe80::1%eth0"],
    dnsSearch: ["a.b", "."],
    dnsOptions: ["ndots:1"],
  });
});
